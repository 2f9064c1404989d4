#!/usr/bin/env python3
"""Shows every netlab fault with a plain socket, and checks that a lab leaves nothing behind.

    ./selftest.py [-j N] [name ...]        about one minute; needs root
Assertions are of three kinds only: an event happens within a generous bound; an event has not happened
although the fault has provably bitten (lab.hits); a counter says so. Nothing compares two short times.
"""
import contextlib, errno, os, select, signal, socket, struct, subprocess, sys, threading, time, traceback
from concurrent.futures import ThreadPoolExecutor
import netlab
from netlab import CLIENT, SERVER, SERVER6, Lab, in_ns, outq, run, starttime, tcp_info

TCP, SOL = socket.IPPROTO_TCP, socket.SOL_SOCKET
TESTS = []


def keepalive(idle, intvl, cnt):
    return [(SOL, socket.SO_KEEPALIVE, 1), (TCP, socket.TCP_KEEPIDLE, idle), (TCP, socket.TCP_KEEPINTVL, intvl),
            (TCP, socket.TCP_KEEPCNT, cnt)]


def user_timeout(ms):
    return [(TCP, socket.TCP_USER_TIMEOUT, ms)]


def test(wire=False, **opts):
    def deco(f):
        TESTS.append((f.__name__, f, dict(wire=wire, **opts)))
        return f
    return deco


def echo(lab, port=7000, addr="::", **kw):
    """Echo server thread in the server namespace, IPv4 and IPv6."""
    lis = lab.listen(port=port, addr=addr, v6=True, **kw)

    def serve(c):
        with contextlib.suppress(OSError), c:
            while d := c.recv(65536):
                c.sendall(d)

    def loop():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(lis.accept()[0],), daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()
    return lis


def ask(c, data=b"ping", timeout=5):
    c.settimeout(timeout)
    c.sendall(data)
    got = b""
    while len(got) < len(data):
        d = c.recv(65536)
        if not d:
            raise EOFError
        got += d
    return got


def died(c, within):
    """What ends the connection ('EOF', errno name) or None if it is still up after `within` seconds."""
    t0 = time.monotonic()
    c.setblocking(False)
    p = select.poll()
    p.register(c, select.POLLIN)
    while (left := within - (time.monotonic() - t0)) > 0:
        if not p.poll(left * 1000):
            break
        try:
            if not c.recv(65536):
                return "EOF", time.monotonic() - t0
        except BlockingIOError:
            continue
        except OSError as e:
            return errno.errorcode[e.errno], time.monotonic() - t0
    return None, time.monotonic() - t0


def until(cond, within, what):
    t0 = time.monotonic()
    while not cond():
        if time.monotonic() - t0 > within:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - t0


def fails(f):
    t0 = time.monotonic()
    try:
        f()
    except OSError as e:
        return errno.errorcode.get(e.errno, "timeout"), time.monotonic() - t0
    return None, time.monotonic() - t0


# ------------------------------------------------------------------ NAT
@test(nat_timeout=2)
def nat_idle_kills_silently(lab):
    echo(lab)
    c = lab.connect()
    ask(c)
    time.sleep(6)                                    # conntrack looks at expiry lazily: allow for it
    c.send(b"lost")
    why, _ = died(c, 4)
    i = tcp_info(c)
    assert why is None and i["state"] == "ESTAB" and i["retransmits"] >= 2 and i["bytes_acked"] == 5, (why, i)
    return f"no error after 4 s; retransmits={i['retransmits']} last_ack_recv={i['last_ack_recv']} ms outq={outq(c)}"


@test(nat_timeout=3)
def nat_keepalive_saves(lab):
    echo(lab)
    c = lab.connect(opts=keepalive(1, 1, 9))
    ask(c)
    time.sleep(10)
    assert ask(c) == b"ping"
    return "echo after 10 s of silence behind a 3 s NAT, keepalive 1 s"


@test(nat_timeout=2, nat_unknown="rst")
def nat_unknown_rst(lab):
    echo(lab)
    c = lab.connect()
    ask(c)
    time.sleep(6)
    c.send(b"x")
    assert died(c, 5)[0] == "ECONNRESET"


@test()
def nat_flush(lab):
    echo(lab)
    c = lab.connect(opts=user_timeout(2000))
    ask(c)
    lab.nat_flush()
    c.send(b"x")
    why, t = died(c, 15)
    assert why == "ETIMEDOUT", why
    assert ask(lab.connect()) == b"ping"             # new connections are not affected
    return f"mapping lost; TCP_USER_TIMEOUT 2 s ended it after {t:.2f} s"


# ------------------------------------------------------------------ silence
@test()
def blackhole_user_timeout(lab):
    echo(lab)
    c = lab.connect(opts=user_timeout(2000))
    ask(c)
    lab.blackhole()
    lab.blackhole()                                  # idempotent
    c.send(b"x" * 100)
    why, t = died(c, 15)
    assert why == "ETIMEDOUT" and t >= 2, (why, t)
    return f"TCP_USER_TIMEOUT 2 s -> ETIMEDOUT after {t:.2f} s, outq still {outq(c)}"


@test()
def blackhole_keepalive_idle(lab):
    echo(lab)
    c = lab.connect(opts=keepalive(1, 1, 2))
    ask(c)
    lab.blackhole()
    why, t = died(c, 20)
    assert why == "ETIMEDOUT", why
    return f"keepalive 1/1/2 idle -> ETIMEDOUT after {t:.2f} s (bound 1+2*1)"


@test()
def blackhole_keepalive_is_off_with_data_in_flight(lab):
    echo(lab)
    c = lab.connect(opts=keepalive(1, 1, 2))
    ask(c)
    lab.blackhole()
    c.send(b"x")
    why, t = died(c, 8)
    assert why is None and tcp_info(c)["unacked"] == 1, why
    return "keepalive 1/1/2 with unacked data: no error in 8 s"


@test()
def blackhole_down_only(lab):
    lis = lab.listen()
    c = lab.connect()
    s = lis.accept()[0]
    c.send(b"a" * 100)
    until(lambda: tcp_info(c)["bytes_acked"] == 101, 5, "first 100 acked (+1 for SYN)")
    lab.blackhole(dir="down")
    c.send(b"b" * 70)
    until(lambda: tcp_info(s)["bytes_received"] == 170, 5, "server got 170")
    i = tcp_info(c)
    assert i["bytes_acked"] == 101 and outq(c) == 70
    lab.clear()
    until(lambda: tcp_info(c)["bytes_acked"] == 171, 10, "acked after heal")
    return "server's kernel had 170 bytes while the client knew of 100: not acknowledged is not the same as not received"


@test()
def v6_blackhole_v4_works(lab):
    echo(lab)
    assert ask(lab.connect((SERVER6, 7000))) == b"ping"
    lab.blackhole(family=6)
    assert fails(lambda: lab.connect((SERVER6, 7000), timeout=2))[0] == "timeout"
    assert ask(lab.connect((SERVER, 7000))) == b"ping"


@test()
def syn_drop_spares_live(lab):
    echo(lab)
    c = lab.connect()
    lab.syn_drop(7000)
    assert ask(c) == b"ping" and fails(lambda: lab.connect(timeout=2))[0] == "timeout" and lab.hits("syn") >= 1


@test()
def mtu_blackhole(lab):
    echo(lab)
    lab.mtu_blackhole(1300)
    c = lab.connect()
    assert ask(c, b"small") == b"small"
    c.send(b"z" * 20000)
    until(lambda: lab.hits("mtu") >= 3, 10, "full segments dropped")
    assert died(c, 2)[0] is None and tcp_info(c)["bytes_acked"] == 6
    d = lab.connect(opts=[(TCP, socket.TCP_MAXSEG, 1200)])
    assert ask(d, b"z" * 20000) == b"z" * 20000
    return "small works, 20 kB hangs; TCP_MAXSEG 1200 gets through"


@test()
def loss(lab):
    echo(lab)
    lab.loss(100)
    assert fails(lambda: lab.connect(timeout=1))[0] == "timeout"
    lab.loss(0)
    assert ask(lab.connect()) == b"ping"
    lab.loss(30, mode="inc")
    c = lab.connect(timeout=30)
    for _ in range(30):
        ask(c, b"x" * 100, timeout=60)
    assert lab.hits("loss") > 5
    return f"30 exchanges, {tcp_info(c)['total_retrans']} retransmissions"


# ------------------------------------------------------------------ told at once
@test()
def refuse_kinds(lab):
    echo(lab)
    want = {"host": "EHOSTUNREACH", "net": "ENETUNREACH", "port": "ECONNREFUSED", "admin": "EHOSTUNREACH", "rst": "ECONNREFUSED"}
    want6 = dict(want, admin="EACCES")
    for k in want:
        lab.refuse(k)
        for addr, w in ((SERVER, want), (SERVER6, want6)):
            got, t = fails(lambda: lab.connect((addr, 7000), timeout=10))
            assert got == w[k], (k, addr, got)
    lab.clear()
    assert ask(lab.connect()) == b"ping" and fails(lambda: lab.connect((SERVER, 9)))[0] == "ECONNREFUSED"


@test()
def refuse_live_is_only_a_hint(lab):
    echo(lab)
    c = lab.connect()
    ask(c)
    lab.refuse("host", new_only=False)
    c.send(b"held")
    assert died(c, 2)[0] is None and lab.hits("refuse") >= 2
    lab.clear()
    until(lambda: tcp_info(c)["bytes_acked"] == 9, 20, "delivered after heal")


@test()
def reset_and_kill(lab):
    echo(lab)
    c = lab.connect()
    lab.reset(dir="up")
    c.send(b"x")
    assert died(c, 5)[0] == "ECONNRESET"
    lab.clear()
    c = lab.connect()
    ask(c)
    lab.kill_conns(7000)
    assert died(c, 5)[0] == "ECONNRESET"


@test()
def reboot(lab):
    echo(lab)
    c, idle = lab.connect(), lab.connect()
    ask(c), ask(idle)
    lab.reboot()
    c.send(b"x")
    assert died(c, 5)[0] == "ECONNRESET" and died(idle, 2)[0] is None
    assert fails(lambda: lab.connect())[0] == "ECONNREFUSED"
    l2 = lab.listen("server2")
    lab.connect()
    return "writer: RST; idle one: never told; fresh host refuses until its service is up"


# ------------------------------------------------------------------ client side
@test()
def roam(lab):
    echo(lab)
    c = lab.connect(opts=user_timeout(2000))
    ask(c)
    lab.roam()
    c.send(b"x")
    why, t = died(c, 15)
    assert why == "ETIMEDOUT" and ask(lab.connect()) == b"ping", why
    lab.clear()
    assert ask(lab.connect()) == b"ping"
    return f"old socket: no error until TCP_USER_TIMEOUT ({t:.2f} s); a new one works at once"


@test()
def roam_keep_addr(lab):
    echo(lab)
    c = lab.connect()
    ask(c)
    lab.roam(keep_addr=True)
    assert ask(c, timeout=10) == b"ping"


@test()
def link_down(lab):
    echo(lab)
    for side, err in (("client", "ENETUNREACH"), ("router", "EHOSTUNREACH")):
        c = lab.connect()
        ask(c)
        lab.link_down(side)
        c.send(b"x")
        assert died(c, 1)[0] is None
        got, t = fails(lambda: lab.connect(timeout=10))
        assert got == err, (side, got)
        lab.clear()
        assert ask(lab.connect(timeout=10)) == b"ping"


@test()
def freeze(lab):
    p = lab.popen("server", [sys.executable, "-u", "-c", "import socket\nl=socket.create_server(('',7000));print(1)\nc=l.accept()[0]\n"
                             "while d:=c.recv(999): c.sendall(d)"], stdout=subprocess.PIPE)
    p.stdout.readline()
    c = lab.connect(opts=keepalive(1, 1, 2) + user_timeout(2000))
    ask(c)
    lab.freeze(p.pid)
    until(lambda: process_state(p.pid) == "T", 5, "stopped")
    c.send(b"late")
    why, _ = died(c, 5)
    i = tcp_info(c)
    assert why is None and i["bytes_acked"] == 9 and i["unacked"] == 0 and i["last_ack_recv"] < 3000, (why, i)
    lab.thaw(p.pid)
    c.settimeout(5)
    assert c.recv(9) == b"late"
    return f"process stopped 5 s: kernel acked all, keepalive answered (last_ack_recv {i['last_ack_recv']} ms), no reply: only an app heartbeat sees it"


def process_state(pid):
    return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0]


# ------------------------------------------------------------------ slow and odd
@test()
def slow(lab):
    echo(lab)
    c = lab.connect()
    ask(c)
    lab.slow("256kbit")
    t0 = time.monotonic()
    ask(c, b"x" * 32000, timeout=60)
    t = time.monotonic() - t0
    assert t > 0.8, t
    return f"32 kB echo at 256 kbit/s took {t:.2f} s"


@test(wire=True)
def wire(lab):
    echo(lab)
    c = lab.connect()
    ask(c)
    lab.wire(delay=100)
    t0 = time.monotonic()
    ask(c)
    t = time.monotonic() - t0
    assert t >= 0.2, t
    lab.wire(delay=2, dup=30, reorder=30, corrupt=5, loss=5, jitter=2, seed=7)
    blob = os.urandom(200_000)
    assert ask(c, blob, timeout=60) == blob
    i = tcp_info(c)
    lab.wire(delay=0, dup=0, reorder=0, corrupt=0, loss=0, jitter=0, hold=1)
    c.send(b"held")
    assert died(c, 2)[0] is None
    lab.wire(hold=0)
    c.settimeout(10)
    assert c.recv(9) == b"held"
    return f"RTT {t*1000:.0f} ms with 2x100; 200 kB intact through dup/reorder/corrupt/loss ({i['total_retrans']} retrans); hold 2 s then delivered"


@test()
def zero_window(lab):
    lis = lab.listen()
    for opts, want in ((user_timeout(3000), "ETIMEDOUT"), ([], None)):
        c = lab.connect(opts=opts)
        s = lis.accept()[0]
        c.setblocking(False)
        until(lambda: _fill(c) and tcp_info(c)["snd_wnd"] == 0 and tcp_info(c)["unacked"] == 0, 20, "window closed")
        why, t = died(c, 12)
        assert why == want, (opts, why)
    return "peer alive but not reading: TCP_USER_TIMEOUT kills it, without it nothing ever happens"


def _fill(c):
    try:
        while True:
            c.send(b"x" * 65536)
    except BlockingIOError:
        return True


@test()
def accept_queue_full(lab):
    lis = lab.listen(backlog=1)
    ok = [lab.connect() for _ in range(2)]
    assert fails(lambda: lab.connect(timeout=2))[0] == "timeout"
    ok[0].send(b"x")
    until(lambda: tcp_info(ok[0])["bytes_acked"] == 2, 5, "kernel acks for an app that never accepted")


@test()
def syn_fill(lab):
    lis = lab.listen(backlog=8)
    lab.syn_fill(7000, 64)
    assert fails(lambda: lab.connect(timeout=0.9))[0] == "timeout"
    lab.clear()
    lab.connect(timeout=20)                          # cookies are on again


# ------------------------------------------------------------------ DNS
LOOKUP = "import socket,time\nt=time.time()\ntry: r=sorted({a[4][0] for a in socket.getaddrinfo('svc.lab',1,type=1)})\nexcept OSError as e: r=e.errno\nprint(r)"


@test()
def dns(lab):
    def look():
        return lab.popen("client", [sys.executable, "-c", LOOKUP], stdout=subprocess.PIPE, text=True).communicate()[0].strip()
    lab.dns(a=[SERVER], aaaa=[SERVER6])
    assert look() == f"['{SERVER}', '{SERVER6}']", look()
    lab.dns(a=["198.18.4.10"])
    assert look() == "['198.18.4.10']"
    out = []
    for mode, want in (("nxdomain", -2), ("servfail", -3), ("empty", -5), ("drop", -3)):
        lab.dns(mode=mode)
        t0 = time.monotonic()
        assert look() == str(want), (mode, look())
        out.append(f"{mode} {time.monotonic() - t0:.1f} s")
    return ", ".join(out)


# ------------------------------------------------------------------ the lab itself
@test()
def two_labs_and_no_leftovers(lab):
    with Lab() as other:
        echo(lab), echo(other)
        lab.blackhole()
        assert ask(other.connect()) == b"ping" and fails(lambda: lab.connect(timeout=1))[0] == "timeout"
        p = other.popen("client", ["sleep", "1000"])
        other.dns()
        d = int((other.dir / "dns.pid").read_text().split()[0])
        until(lambda: str(p.pid) in run("ip", "netns", "pids", other.ns("client")).split(), 5, "sleep runs inside")
    p.wait(5)
    assert starttime(d) is None and f"kl{other.id}" not in run("ip", "netns", "list") and not other.dir.exists()
    other.down()                                     # again: no error
    assert not os.path.exists(f"/etc/netns/{other.ns('client')}")


@test()
def owner_killed_then_gc(lab):
    p = subprocess.Popen([sys.executable, "-u", "-c", "import netlab,time\nprint(netlab.Lab().up().id)\ntime.sleep(99)"],
                         stdout=subprocess.PIPE, text=True, cwd=os.path.dirname(os.path.abspath(__file__)))
    i = p.stdout.readline().strip()
    assert i in netlab.labs()
    p.kill(), p.wait()
    netlab.gc()
    assert i not in netlab.labs() and f"kl{i}" not in run("ip", "netns", "list")


@test()
def host_untouched(lab):
    ns = {l.split()[0] for l in run("ip", "-br", "link").splitlines()}
    assert not any(n.startswith(("lan", "wan0", "wan1", "kl")) for n in ns), ns
    assert "198.18." not in run("ip", "route") and "natpol" not in run("nft", "list", "tables")


def main():
    args = sys.argv[1:]
    j = int(args.pop(args.index("-j") + 1)) if "-j" in args else 8
    args = [a for a in args if a != "-j"]
    picked = [t for t in TESTS if not args or any(a in t[0] for a in args)]

    def one(t):
        name, f, opts = t
        t0 = time.monotonic()
        try:
            with Lab(**opts) as lab:
                note, bad = f(lab) or "", False
        except BaseException:
            note, bad = "\n" + traceback.format_exc(), True
        print(f"{'FAIL' if bad else 'ok  '} {name:<46} {time.monotonic() - t0:5.1f} s  {note}", flush=True)
        return bad
    with ThreadPoolExecutor(j) as ex:
        bad = sum(ex.map(one, picked))
    print(f"{len(picked) - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    code = main()
    os._exit(code)                                   # helper threads may still sit in accept()
