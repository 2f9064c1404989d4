#!/usr/bin/env python3
"""netlab - throw-away "client - NAT router - server" networks for failure tests.

Needs: Linux, root, python >= 3.9 (standard library only), iproute2, nftables.

                 198.18.1.0/24                         198.18.2.0/24
   client eth0 .2 ------------ .1 lan0  router  wan0 .1 ------------ .10 eth0 server   (+ .53 DNS)
          wlan0 .2 ----------- .1 lan1  (NAT44, wan1 .1 ------------ .10 eth0 server2  (also holds
          (down until roam)  198.18.3.0  conntrack)      198.18.4.0           198.18.2.10, no state)
   IPv6 the same with 2001:db8:N::/64, routed and connection-tracked, not translated.

Nothing is created in the host's own network namespace, no host route points at the lab and the lab
has no way out, so several labs run side by side and a test that forgets `exec` reaches nothing.

Library:   from netlab import Lab, tcp_info, outq
           with Lab() as lab:
               srv = lab.listen("server", 7000); c = lab.connect(("198.18.2.10", 7000))
               lab.blackhole(dir="up"); ...; lab.clear()
CLI:       ID=$(./netlab.py up); ./netlab.py exec $ID client -- mytest; ./netlab.py blackhole $ID dir=up
           ./netlab.py clear $ID; ./netlab.py down $ID        (see README.md)
Pipe:      ./netlab.py control: one request per line on stdin, one answer per line on stdout, down when stdin ends.
"""
import argparse, atexit, contextlib, ctypes, fcntl, heapq, inspect, json, os, random, secrets, select
import shutil, signal, socket, struct, subprocess, sys, threading, time
from pathlib import Path

STATE, ETC = Path("/run/netlab"), Path("/etc/netns")
ROLES = {"client": "c", "router": "r", "server": "s", "server2": "t"}
CLIENT, CLIENT_ROAMED, SERVER, DNS = "198.18.1.2", "198.18.3.2", "198.18.2.10", "198.18.2.53"
CLIENT6, SERVER6 = "2001:db8:1::2", "2001:db8:2::10"
_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


# ------------------------------------------------------------------ small tools
def run(*cmd, check=True, input=None):
    p = subprocess.run([str(c) for c in cmd], input=input, text=True, capture_output=True)
    if check and p.returncode:
        raise RuntimeError(f"{' '.join(map(str, cmd))}: rc={p.returncode} {p.stderr.strip()}\n{input or ''}")
    return p.stdout


@contextlib.contextmanager
def in_ns(name):
    """Put *this thread* into a namespace; sockets and child processes made inside stay there for life."""
    old, new = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if _libc.setns(new, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            if _libc.setns(old, CLONE_NEWNET):
                os._exit(99)                       # never go on in the wrong namespace
    finally:
        os.close(old), os.close(new)


def starttime(pid):
    """Kernel start tick of a process, None if gone: pid + start tick names a process for good."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except (OSError, IndexError):
        return None


def kill_recorded(path):
    try:
        pid, st = map(int, path.read_text().split())
    except (OSError, ValueError):
        return
    if starttime(pid) == st:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    path.unlink(missing_ok=True)


_TCPI = ("state:B ca_state:B retransmits:B probes:B backoff:B options:B wscale:B flags:B "
         "rto:I ato:I snd_mss:I rcv_mss:I unacked:I sacked:I lost:I retrans:I fackets:I last_data_sent:I "
         "last_ack_sent:I last_data_recv:I last_ack_recv:I pmtu:I rcv_ssthresh:I rtt:I rttvar:I snd_ssthresh:I "
         "snd_cwnd:I advmss:I reordering:I rcv_rtt:I rcv_space:I total_retrans:I pacing_rate:Q max_pacing_rate:Q "
         "bytes_acked:Q bytes_received:Q segs_out:I segs_in:I notsent_bytes:I min_rtt:I data_segs_in:I "
         "data_segs_out:I delivery_rate:Q busy_time:Q rwnd_limited:Q sndbuf_limited:Q delivered:I "
         "delivered_ce:I bytes_sent:Q bytes_retrans:Q dsack_dups:I reord_seen:I rcv_ooopack:I snd_wnd:I "
         "rcv_wnd:I rehash:I total_rto:H total_rto_recoveries:H total_rto_time:I").split()
_TCPI_NAMES = [f.split(":")[0] for f in _TCPI]
_TCPI_FMT = "=" + "".join(f.split(":")[1] for f in _TCPI)
TCP_STATES = dict(enumerate("? ESTAB SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT "
                            "LAST_ACK LISTEN CLOSING".split()))


def tcp_info(s):
    """struct tcp_info as a dict; older kernels give fewer fields, the missing ones read 0."""
    raw = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    n = struct.calcsize(_TCPI_FMT)
    d = dict(zip(_TCPI_NAMES, struct.unpack(_TCPI_FMT, raw[:n].ljust(n, b"\0"))))
    d["state"] = TCP_STATES.get(d["state"], d["state"])
    return d


def outq(s):
    """SIOCOUTQ: bytes written by us and not yet acknowledged by the peer's kernel."""
    return struct.unpack("i", fcntl.ioctl(s, 0x5411, b"\0" * 4))[0]


def offloads_off(ifname):
    """One skb = one wire packet, so that per-packet loss, length and counters mean what they say."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for cmd in (0x1F, 0x24, 0x2C):             # ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO
            val = ctypes.create_string_buffer(struct.pack("II", cmd, 0))
            with contextlib.suppress(OSError):
                fcntl.ioctl(s, 0x8946, struct.pack("16sP", ifname.encode(), ctypes.addressof(val)).ljust(40, b"\0"))


# ------------------------------------------------------------------ the lab
class Lab:
    """One lab. As a context manager it is destroyed on exit, and by atexit if the test dies by exception."""

    def __init__(self, id=None, wire=False, nat_timeout=300, nat_unknown="drop", owner=None):
        self.id = id or secrets.token_hex(3)
        self.dir, self.opts = STATE / self.id, dict(wire=wire, nat_timeout=nat_timeout, nat_unknown=nat_unknown)
        self.owner = os.getpid() if owner is None else owner

    @classmethod
    def attach(cls, id):
        if not (STATE / id).is_dir():
            raise SystemExit(f"netlab: no lab {id}")
        lab = cls(id)
        with contextlib.suppress(OSError, ValueError):
            lab.opts.update(json.loads((lab.dir / "opts").read_text()))
        return lab

    def ns(self, role):
        return f"kl{self.id}-{ROLES[role]}"

    def __enter__(self):
        return self.up()

    def __exit__(self, *a):
        self.down()

    def up(self):
        STATE.mkdir(exist_ok=True)
        gc()                                                       # labs of test runs that were killed
        self.dir.mkdir()                                           # atomic: fails if the id is taken
        (self.dir / "opts").write_text(json.dumps(self.opts))
        (self.dir / "owner").write_text(f"{self.owner} {starttime(self.owner) or 0}")
        atexit.register(self._at_exit)
        try:
            self._build()
        except BaseException:
            self.down()
            raise
        return self

    def _build(self):
        c, r, s, t = (self.ns(x) for x in ROLES)
        for n in (c, r, s, t):
            run("ip", "netns", "add", n)
            with in_ns(n):
                for k, v in {"ipv4/tcp_congestion_control": "reno", "ipv4/tcp_no_metrics_save": 1,
                             "ipv4/conf/all/rp_filter": 0, "ipv4/conf/default/rp_filter": 0,
                             "ipv6/conf/all/accept_dad": 0, "ipv6/conf/default/accept_dad": 0,
                             "ipv6/conf/default/router_solicitations": 0, "ipv4/icmp_ratelimit": 0,
                             "ipv6/icmp/ratelimit": 0}.items():
                    self._sysctl(k, v)
        with in_ns(r):
            for k, v in {"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1,
                         "netfilter/nf_conntrack_tcp_loose": 0}.items():
                self._sysctl(k, v)
        if self.opts["wire"]:
            self._daemon("wire")
        else:
            run("ip", "-n", c, "link", "add", "eth0", "type", "veth", "peer", "name", "lan0", "netns", r)
        for n, dev, peer in ((c, "wlan0", "lan1"), (s, "eth0", "wan0"), (t, "eth0", "wan1")):
            run("ip", "-n", n, "link", "add", dev, "type", "veth", "peer", "name", peer, "netns", r)
        for n, devs in ((c, "eth0 wlan0"), (r, "lan0 lan1 wan0 wan1"), (s, "eth0"), (t, "eth0")):
            with in_ns(n):
                for d in devs.split():
                    offloads_off(d)
        self._ip(r, "\n".join(f"addr add 198.18.{i}.1/24 dev {d}\naddr add 2001:db8:{i}::1/64 dev {d} nodad\n"
                              f"link set {d} up" for d, i in (("lan0", 1), ("lan1", 3), ("wan0", 2), ("wan1", 4))))
        for n, i in ((s, 2), (t, 4)):
            self._ip(n, f"link set lo up\nlink set eth0 up\naddr add 198.18.{i}.10/24 dev eth0\n"
                        f"addr add 2001:db8:{i}::10/64 dev eth0 nodad\nroute add default via 198.18.{i}.1\n"
                        f"route add default via 2001:db8:{i}::1")
        self._ip(s, f"addr add {DNS}/24 dev eth0")
        self._ip(t, f"addr add {SERVER}/32 dev lo\naddr add {SERVER6}/128 dev lo nodad")
        self._ip(c, "link set lo up")
        self._uplink("eth0", 1)
        self._nft("router", 'table ip nat {\n chain post { type nat hook postrouting priority 100; '
                            'oifname { "wan0", "wan1" } snat to 198.18.2.1 fully-random; }\n}')
        self.nat(self.opts["nat_timeout"], self.opts["nat_unknown"])
        (ETC / c).mkdir(parents=True, exist_ok=True)
        (ETC / c / "resolv.conf").write_text(f"nameserver {DNS}\noptions timeout:1 attempts:2\n")

    def _at_exit(self):
        if self.owner == os.getpid():                              # not in a forked child, not for the CLI's labs
            self.down()

    def down(self):
        atexit.unregister(self._at_exit)
        for f in self.dir.glob("*.pid"):
            kill_recorded(f)
        for role in ROLES:
            n = self.ns(role)
            if os.path.exists(f"/run/netns/{n}"):
                for pid in run("ip", "netns", "pids", n, check=False).split():   # only what runs inside our own ns
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL) if int(pid) != os.getpid() else None
                run("ip", "netns", "del", n, check=False)
            shutil.rmtree(ETC / n, ignore_errors=True)
        with contextlib.suppress(OSError):
            ETC.rmdir() if ETC.is_dir() and not any(ETC.iterdir()) else None
        shutil.rmtree(self.dir, ignore_errors=True)

    # -- plumbing
    @staticmethod
    def _sysctl(key, val):
        with contextlib.suppress(FileNotFoundError):
            Path("/proc/sys/net", key).write_text(str(val))

    @staticmethod
    def _ip(ns, batch, check=True):
        run("ip", "-n", ns, *([] if check else ["-force"]), "-batch", "-", input=batch + "\n", check=check)

    def _uplink(self, dev, i):
        self._ip(self.ns("client"), f"link set {dev} up\naddr replace 198.18.{i}.2/24 dev {dev}\n"
                 f"addr replace 2001:db8:{i}::2/64 dev {dev} nodad\nroute replace default via 198.18.{i}.1 dev {dev}\n"
                 f"route replace default via 2001:db8:{i}::1 dev {dev}")

    def _nft(self, role, text, check=True):
        with in_ns(self.ns(role)):
            run("nft", "-f", "-", input=text, check=check)

    def _fault(self, name, body, role="router"):
        """One fault = one nft table named f_NAME, replaced atomically: set twice = set once."""
        t = f"table inet f_{name}"
        self._nft(role, f"{t} {{}}\ndelete {t}\n{t} {{\n{body}\n}}")

    def _unfault(self, name, role="router"):
        t = f"table inet f_{name}"
        self._nft(role, f"{t} {{}}\ndelete {t}")

    def _daemon(self, kind):
        kill_recorded(self.dir / f"{kind}.pid")
        ready = self.dir / f"{kind}.ready"
        ready.unlink(missing_ok=True)
        with open(self.dir / f"{kind}.log", "w") as log:
            p = subprocess.Popen([sys.executable, __file__, f"_{kind}", self.id], stdin=subprocess.DEVNULL,
                                 stdout=log, stderr=log, start_new_session=True)
        (self.dir / f"{kind}.pid").write_text(f"{p.pid} {starttime(p.pid)}")
        for _ in range(500):
            if ready.exists():
                return
            time.sleep(0.01)
        raise RuntimeError(f"{kind} did not start: " + (self.dir / f"{kind}.log").read_text())

    # -- sockets and processes inside the lab
    def socket(self, role="client", family=socket.AF_INET, type=socket.SOCK_STREAM, proto=0):
        with in_ns(self.ns(role)):
            return socket.socket(family, type, proto)

    def listen(self, role="server", port=7000, backlog=128, addr="", v6=False):
        s = self.socket(role, socket.AF_INET6 if v6 else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((addr, port))
        s.listen(backlog)
        return s

    def connect(self, addr=(SERVER, 7000), timeout=5, opts=(), role="client"):
        """opts: [(level, name, value)] set before connect."""
        s = self.socket(role, socket.AF_INET6 if ":" in addr[0] else socket.AF_INET)
        for o in opts:
            s.setsockopt(*o)
        s.settimeout(timeout)
        s.connect(addr)
        return s

    def popen(self, role, argv, **kw):
        return subprocess.Popen(["ip", "netns", "exec", self.ns(role), *map(str, argv)], **kw)

    # -- faults: every one may be called again with other values, `clear` undoes them all
    @staticmethod
    def _match(dir="both", port=0, family=0):
        fam = {4: "meta nfproto ipv4 ", 6: "meta nfproto ipv6 ", 0: ""}[int(family)]
        up = f'iifname "lan*" {fam}' + (f"tcp dport {port} " if int(port) else "")
        dn = f'oifname "lan*" {fam}' + (f"tcp sport {port} " if int(port) else "")
        return {"up": [up], "down": [dn], "both": [up, dn]}[dir]

    def _rules(self, name, verdict, cond="", **match):
        self._fault(name, "chain x { type filter hook forward priority -10;\n" +
                    "".join(f"  {m}{cond} counter {verdict}\n" for m in self._match(**match)) + "}")

    def blackhole(self, dir="both", port=0, family=0):
        """Silently drop. dir=up|down|both (up = client to server), port=server port, family=4|6."""
        self._rules("blackhole", "drop", dir=dir, port=port, family=family)

    def loss(self, pct=30, dir="both", port=0, mode="random"):
        """Drop pct % of packets; mode=inc drops every (100/pct)-th packet, the same way each run."""
        n = int(float(pct) * 10)
        if n <= 0:
            return self._unfault("loss")
        cond = "" if n >= 1000 else f"numgen random mod 1000 < {n}" if mode == "random" else \
            f"numgen inc mod {max(2, round(1000 / n))} == 0"
        self._rules("loss", "drop", cond, dir=dir, port=port)

    def mtu_blackhole(self, size=1300, dir="both"):
        """Drop packets longer than size without ICMP: the handshake works, full segments vanish."""
        self._rules("mtu", "drop", f"meta length > {size}", dir=dir)

    def syn_drop(self, port=0):
        """Drop only new connections; live ones go on."""
        self._rules("syn", "drop", "tcp flags & (syn|ack) == syn", dir="up", port=port)

    def refuse(self, kind="host", port=0, new_only=True):
        """Answer with ICMP (kind=host|net|port|admin) or kind=rst; new_only=False hits live connections too."""
        w = {"host": "reject with icmpx type host-unreachable", "net": "reject with icmpx type no-route",
             "port": "reject with icmpx type port-unreachable", "admin": "reject with icmpx type admin-prohibited",
             "rst": "reject with tcp reset"}[kind]
        cond = "meta l4proto tcp " + ("tcp flags & (syn|ack) == syn" if _true(new_only) else "tcp flags & rst == 0")
        self._rules("refuse", w, cond, dir="up", port=port)

    def reset(self, dir="both", port=0):
        """RST in mid-stream: the sender of the next packet of a live connection gets a RST."""
        self._rules("reset", "reject with tcp reset", "meta l4proto tcp tcp flags & (syn|rst) == 0", dir=dir, port=port)

    def kill_conns(self, port=0):
        """The server's kernel aborts its live connections (ss -K): one RST each to the client."""
        f = ["sport", "=", f":{port}"] if int(port) else []
        with in_ns(self.ns("server")):
            run("ss", "-K", "-t", "state", "established", *f)

    def nat(self, timeout=300, unknown="drop"):
        """NAT idle timeout in seconds; unknown=drop|rst is what happens to packets of a forgotten mapping."""
        with in_ns(self.ns("router")):
            self._sysctl("netfilter/nf_conntrack_tcp_timeout_established", int(timeout))
        v = {"drop": "drop", "rst": "meta l4proto tcp reject with tcp reset"}[unknown]
        i = 'iifname "wan*" meta l4proto tcp drop' if unknown == "drop" else ""
        self._nft("router", f"table inet natpol {{}}\ndelete table inet natpol\ntable inet natpol {{\n"
                  f" chain known {{ type filter hook forward priority 0; ct state invalid counter {v}; }}\n"
                  f" chain unknown {{ type filter hook input priority 0; {i}; }}\n}}".replace("; ; }", "; }"))

    def nat_flush(self):
        """Forget every NAT mapping at once (router reboot, carrier failover)."""
        with in_ns(self.ns("router")), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as s:
            s.bind((0, 0))
            s.settimeout(5)
            s.send(struct.pack("=IHHIIBBH", 20, (1 << 8) | 2, 1 | 4, 1, 0, 0, 0, 0))   # CT_DELETE, no tuple = all
            err = struct.unpack_from("=i", s.recv(4096), 16)[0]
            if err:
                raise OSError(-err, "conntrack flush")

    def reboot(self):
        """The server's address now belongs to a fresh host without connection state (server2)."""
        self._ip(self.ns("router"), f"route replace {SERVER}/32 via 198.18.4.10\n"
                 f"route replace {SERVER6}/128 via 2001:db8:4::10")

    def roam(self, keep_addr=False):
        """Client moves from eth0 to wlan0 (new address, new path). keep_addr: old link stays, only the route moves."""
        if not _true(keep_addr):
            self._ip(self.ns("client"), "addr flush dev eth0\nlink set eth0 down")
        self._uplink("wlan0", 3)

    def link_down(self, side="client"):
        """side=client: own interface down; side=router: carrier lost, the client's address stays."""
        n, d = (self.ns("client"), "eth0") if side == "client" else (self.ns("router"), "lan0")
        run("ip", "-n", n, "link", "set", d, "down")

    def slow(self, rate="64kbit", latency="2s", dir="both"):
        """Bandwidth limit with a deep queue (bufferbloat) by TBF."""
        for d, dev in (("up", "wan0"), ("down", "lan0")):
            if dir in (d, "both"):
                run("tc", "-n", self.ns("router"), "qdisc", "replace", "dev", dev, "root", "tbf",
                    "rate", rate, "burst", "2000", "latency", latency)

    def wire(self, **kw):
        """Only with wire=True at up. dir=up|down|both delay= jitter= (ms) loss= dup= corrupt= reorder= (%) hold=0|1 seed="""
        if not self.opts["wire"]:
            raise SystemExit("netlab: this lab has no wire: up --wire")
        f, d = self.dir / "wire.json", kw.pop("dir", "both")
        cfg = json.loads(f.read_text()) if f.exists() else {"up": {}, "down": {}}
        for x in ("up", "down") if d == "both" else (d,):
            cfg[x].update({k: float(v) for k, v in kw.items()})
        _write(f, json.dumps(cfg))
        time.sleep(0.02)

    def dns(self, name="svc.lab", a=(SERVER,), aaaa=(), ttl=1, mode="ok"):
        """Answer name with these addresses; mode=ok|nxdomain|servfail|drop|empty. Starts the responder if need be."""
        f = self.dir / "dns.json"
        zone = json.loads(f.read_text()) if f.exists() else {}
        zone[name] = dict(a=_list(a), aaaa=_list(aaaa), ttl=int(ttl), mode=mode)
        _write(f, json.dumps(zone))
        self._daemon("dns") if not (self.dir / "dns.pid").exists() else None

    def freeze(self, pid, secs=0):
        """SIGSTOP a process (its kernel still answers); with secs, SIGCONT after that long."""
        os.kill(int(pid), signal.SIGSTOP)
        if float(secs):
            time.sleep(float(secs))
            os.kill(int(pid), signal.SIGCONT)

    def thaw(self, pid):
        os.kill(int(pid), signal.SIGCONT)

    def syn_fill(self, port=7000, n=64):
        """n half-open connections from spoofed addresses on the client LAN (at most 512), to fill the SYN queue."""
        with in_ns(self.ns("server")):
            self._sysctl("ipv4/tcp_syncookies", 0)
            self._sysctl("ipv4/tcp_max_syn_backlog", 16)
        raw = self.socket("client", type=socket.SOCK_RAW, proto=socket.IPPROTO_TCP)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
        with raw:
            for i in range(min(int(n), 512)):
                src = socket.inet_aton(f"198.18.1.{100 + i % 100}")
                dst, tcp = socket.inet_aton(SERVER), struct.pack("!HHIIBBHHH", 1024 + i, int(port), i, 0, 0x50, 2, 1024, 0, 0)
                ck = sum(struct.unpack("!16H", src + dst + struct.pack("!HH", 6, 20) + tcp))
                ck = (ck & 0xFFFF) + (ck >> 16)
                ck = ~((ck & 0xFFFF) + (ck >> 16)) & 0xFFFF
                raw.sendto(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, src, dst) +
                           tcp[:16] + struct.pack("!HH", ck, 0), (SERVER, 0))

    def clear(self):
        """Back to a healthy network (NAT settings as given at up). Connections are left as they are."""
        for role in ("router", "client"):
            with in_ns(self.ns(role)):
                out = run("nft", "list", "tables")
                run("nft", "-f", "-", input="".join(f"delete {l}\n" for l in out.splitlines() if " f_" in l))
        r = self.ns("router")
        self._ip(r, f"route del {SERVER}/32\nroute del {SERVER6}/128", check=False)
        for dev in ("wan0", "lan0"):
            run("tc", "-n", r, "qdisc", "del", "dev", dev, "root", check=False)
        self._ip(r, "link set lan0 up")
        self._ip(self.ns("client"), "addr flush dev wlan0\nlink set wlan0 down", check=False)
        self._ip(r, "addr replace 2001:db8:1::1/64 dev lan0 nodad")
        self._uplink("eth0", 1)
        with in_ns(self.ns("server")):
            self._sysctl("ipv4/tcp_syncookies", 1)
            self._sysctl("ipv4/tcp_max_syn_backlog", 1024)
        self.nat(self.opts["nat_timeout"], self.opts["nat_unknown"])
        if self.opts["wire"]:
            _write(self.dir / "wire.json", json.dumps({"up": {}, "down": {}}))
        (self.dir / "dns.json").unlink(missing_ok=True)

    def status(self):
        """nft fault tables with their hit counters, conntrack entry count, routes."""
        with in_ns(self.ns("router")):
            n = Path("/proc/sys/net/netfilter/nf_conntrack_count").read_text().strip()
            tabs = [t for t in run("nft", "list", "tables").splitlines() if " f_" in t]
            return (f"lab {self.id} {self.opts} conntrack={n}\n" + "".join(run("nft", "list", *t.split()) for t in tabs)
                    + run("ip", "route"))

    def hits(self, name):
        """Packets a fault has caught so far: lets a test wait for the fault to bite instead of sleeping."""
        table = "natpol" if name == "nat" else f"f_{name}"
        with in_ns(self.ns("router")):
            d = json.loads(run("nft", "-j", "list", "table", "inet", table))
        return sum(e["counter"]["packets"] for r in d["nftables"] if "rule" in r for e in r["rule"]["expr"] if "counter" in e)


FAULTS = ("blackhole loss mtu_blackhole syn_drop refuse reset kill_conns nat nat_flush reboot roam link_down slow "
          "wire dns freeze thaw syn_fill clear status hits").split()


def _true(v):
    return str(v).lower() not in ("0", "false", "no", "")


def _list(v):
    return [x for x in v.split(",") if x] if isinstance(v, str) else list(v)


def _write(path, text):
    tmp = path.with_suffix(".tmp")
    tmp.write_text(text)
    tmp.rename(path)                                               # readers see the old or the new, never half


# ------------------------------------------------------------------ daemons (one process each, killed by `down`)
def wire_main(lab):
    """Userland cable between client eth0 and router lan0: delay, jitter, loss, dup, corrupt, reorder, hold."""
    fds = []
    for role, dev in (("client", "eth0"), ("router", "lan0")):
        with in_ns(lab.ns(role)):
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", dev.encode(), 0x0002 | 0x1000))  # TUNSETIFF TAP|NO_PI
            fds.append(fd)
    (lab.dir / "wire.ready").touch()
    path, stamp, cfg, rng, q, n = lab.dir / "wire.json", None, {"up": {}, "down": {}}, random.Random(1), [], 0
    p = select.poll()
    for fd in fds:
        p.register(fd, select.POLLIN)
    while True:
        held = [x for x in ("up", "down") if cfg[x].get("hold")]
        wait = max(0, (q[0][0] - time.monotonic()) * 1000) if q and not held else 10 if held else 200
        events = p.poll(min(wait, 200))
        with contextlib.suppress(OSError, ValueError):
            st = os.stat(path).st_mtime_ns
            if st != stamp:
                stamp, cfg = st, json.loads(path.read_text())
                rng = random.Random(max(cfg[x].get("seed", 1) for x in cfg))
        now = time.monotonic()
        for fd, _ in events:
            way, out = ("up", fds[1]) if fd == fds[0] else ("down", fds[0])
            c = cfg[way]
            for _ in range(64):
                try:
                    frame = os.read(fd, 65536)
                except OSError:
                    break
                pct = lambda k: c.get(k) and rng.random() * 100 < c[k]
                if pct("loss"):
                    continue
                for _ in range(2 if pct("dup") else 1):
                    f = frame
                    if pct("corrupt") and len(f) > 54:
                        i = rng.randrange(54, len(f))
                        f = f[:i] + bytes([f[i] ^ 0xFF]) + f[i + 1:]
                    d = 0 if pct("reorder") else c.get("delay", 0) + rng.uniform(-1, 1) * c.get("jitter", 0)
                    n += 1
                    heapq.heappush(q, (now + max(0, d) / 1000, n, way, out, f))
        keep = []
        while q and q[0][0] <= time.monotonic():
            item = heapq.heappop(q)
            if cfg[item[2]].get("hold"):
                keep.append(item)
                continue
            with contextlib.suppress(OSError):
                os.write(item[3], item[4])
        for item in keep:
            heapq.heappush(q, item)


def dns_main(lab):
    """Smallest useful DNS responder: A and AAAA from dns.json, re-read for each query."""
    s = lab.socket("server", type=socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((DNS, 53))
    (lab.dir / "dns.ready").touch()
    while True:
        q, peer = s.recvfrom(4096)
        try:
            labels, i = [], 12
            while q[i]:
                labels.append(q[i + 1:i + 1 + q[i]].decode())
                i += 1 + q[i]
            qtype = struct.unpack_from("!H", q, i + 1)[0]
            question, f = q[12:i + 5], lab.dir / "dns.json"
            z = (json.loads(f.read_text()) if f.exists() else {}).get(".".join(labels).lower())
        except (IndexError, struct.error, ValueError):
            continue
        mode = z["mode"] if z else "nxdomain"
        if mode == "drop":
            continue
        rcode = {"nxdomain": 3, "servfail": 2}.get(mode, 0)
        fam = {1: (socket.AF_INET, "a"), 28: (socket.AF_INET6, "aaaa")}.get(qtype)
        addrs = z[fam[1]] if fam and mode == "ok" else []
        rr = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", qtype, 1, z["ttl"], len(a)) + a
                      for a in (socket.inet_pton(fam[0], x) for x in addrs))
        s.sendto(q[:2] + struct.pack("!HHHHH", 0x8580 | rcode, 1, len(addrs), 0, 0) + question + rr, peer)


# ------------------------------------------------------------------ command line
def labs():
    return sorted(p.name for p in STATE.iterdir() if p.is_dir()) if STATE.is_dir() else []


def gc():
    """Destroy labs whose owner process is gone (owner 0 = kept until `down`)."""
    for i in labs():
        try:
            pid, st = map(int, (STATE / i / "owner").read_text().split())
        except (OSError, ValueError):
            continue
        if pid and starttime(pid) != st:
            Lab(i).down()


def unsupported():
    """Why the lab cannot run here ('' if it can): for tests that skip instead of failing."""
    for tool in ("ip", "nft", "ss", "tc"):
        if not shutil.which(tool):
            return f"no {tool} (apt packages iproute2, nftables)"
    if os.geteuid():
        return "not root"
    probe = "klprobe" + secrets.token_hex(3)
    try:
        run("ip", "netns", "add", probe)
        with in_ns(probe):
            run("nft", "-f", "-", input="table inet t {\nchain c {\ntype filter hook forward priority 0\n"
                                        "ct state invalid numgen random mod 10 < 1 counter drop\n}\n}\n")
    except (RuntimeError, OSError) as e:
        return str(e).splitlines()[0]
    finally:
        run("ip", "netns", "del", probe, check=False)
    return ""


def control(lab):
    """Answers `VERB key=value ...` with `ok VALUE` or `error TEXT`, a line each, until the input ends; then `down`.

    The lab lives as long as whoever holds the other end of the pipe, however that one ends.
    """
    def answer(word, text):
        print(word, str(text).strip().replace("\n", "\x1e"), flush=True)      # one line, whatever the text is
    why = unsupported()
    if why:
        return answer("unsupported", why)
    with lab:
        answer("ok", lab.id)
        for line in sys.stdin:
            verb, *args = line.split()
            try:
                if verb not in FAULTS:
                    raise ValueError(f"no verb {verb}")
                value = getattr(lab, verb)(**dict(x.split("=", 1) for x in args))
                answer("ok", "" if value is None else value)
            except (Exception, SystemExit) as e:                    # the test decides what a refusal means
                answer("error", f"{verb}: {e}")


def options(prog):
    p = argparse.ArgumentParser(prog=prog)
    p.add_argument("--id"), p.add_argument("--wire", action="store_true")
    p.add_argument("--nat-timeout", type=int, default=300), p.add_argument("--nat-unknown", default="drop")
    return p


def main():
    if len(sys.argv) == 3 and sys.argv[1] in ("_wire", "_dns"):
        lab = Lab.attach(sys.argv[2])
        return {"_wire": wire_main, "_dns": dns_main}[sys.argv[1]](lab)
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                 epilog="faults (ID key=value ...): " + ", ".join(FAULTS))
    ap.add_argument("cmd", choices=["check", "up", "control", "down", "list", "gc", "exec", "help", *FAULTS])
    ap.add_argument("rest", nargs=argparse.REMAINDER)
    a = ap.parse_args()
    if a.cmd == "help":
        for f in FAULTS:
            print(f"{f}{inspect.signature(getattr(Lab, f))}\n    {(getattr(Lab, f).__doc__ or '').strip()}")
    elif a.cmd == "check":
        why = unsupported()
        print(why or "ok")
        return 77 if why else 0
    elif a.cmd == "list":
        print("\n".join(labs()))
    elif a.cmd == "gc":
        gc()
    elif a.cmd == "control":
        control(Lab(**vars(options("netlab control").parse_args(a.rest))))
    elif a.cmd == "up":
        p = options("netlab up")
        p.add_argument("--owner", type=int, default=0, help="pid; `gc` removes the lab once it is gone")
        print(Lab(**vars(p.parse_args(a.rest))).up().id)
    elif not a.rest:
        raise SystemExit(f"netlab {a.cmd}: which lab? ({' '.join(labs()) or 'none is up'})")
    elif a.cmd == "down":
        for i in labs() if a.rest == ["--all"] else a.rest:
            Lab(i).down()
    elif a.cmd == "exec":
        lab, role, argv = Lab.attach(a.rest[0]), a.rest[1], [x for x in a.rest[2:]]
        argv = argv[1:] if argv[:1] == ["--"] else argv
        os.execvp("ip", ["ip", "netns", "exec", lab.ns(role), *argv])
    else:
        lab, kw, pos = Lab.attach(a.rest[0]), {}, []
        for x in a.rest[1:]:
            k, eq, v = x.partition("=")
            kw.update({k: v}) if eq else pos.append(x)
        out = getattr(lab, a.cmd)(*pos, **kw)
        print(out) if out is not None else None


if __name__ == "__main__":
    sys.exit(main())
