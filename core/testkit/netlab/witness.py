#!/usr/bin/env python3
"""What reached a host, and what its kernel acknowledged, seen on its wire: true whatever becomes of the processes there.

    ./netlab.py exec ID server -- ./witness.py

Follows every IPv4 connection to this host from its SYN on. It is steered by lines on stdin (see `Witness.do_*`), each
answered with `ok VALUE` on stdout, and ends when stdin does.
"""
import selectors, socket, struct, sys, time

ALL, OUTGOING = 3, 4                               # ETH_P_ALL, PACKET_OUTGOING
FORCED_BUFFER, SOL_PACKET, STATISTICS = 33, 263, 6  # SO_RCVBUFFORCE, PACKET_STATISTICS
FIN, SYN, RST, ACK = 1, 2, 4, 16
# Room for what a starved machine lets lie: 64 MB is more than a test sends.
BUFFER = 64 << 20


class Connection:
    def __init__(self, first, remote, local):
        self.first, self.remote, self.local, self.began = first, remote, local, time.monotonic_ns()
        self.stream, self.early, self.acked = bytearray(), {}, 0

    def offset(self, number):
        """Where a sequence number lies in the stream; a little below 0 for a probe of an idle connection."""
        offset = (number - self.first - 1) & 0xFFFFFFFF
        return offset - (1 << 32) if offset >> 31 else offset

    def arrived(self, number, payload):
        offset = self.offset(number)
        # Sent again, a segment may be cut shorter than it was.
        if len(payload) > len(self.early.get(offset, b"")):
            self.early[offset] = payload
        for offset in sorted(self.early):
            if offset > len(self.stream):
                break
            self.stream += self.early.pop(offset)[len(self.stream) - offset:]


class Witness:
    def __init__(self):
        self.packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL))
        self.packets.setsockopt(socket.SOL_SOCKET, FORCED_BUFFER, BUFFER)
        self.packets.setblocking(False)
        self.all, self.latest, self.lost, self.request = [], {}, 0, b""

    def run(self):
        selector = selectors.DefaultSelector()
        selector.register(self.packets, selectors.EVENT_READ, self.look)
        selector.register(sys.stdin.buffer.raw, selectors.EVENT_READ, self.command)
        print("ok", flush=True)
        while True:
            for key, _ in selector.select():
                key.data()

    # -- what it is told
    def command(self):
        more = sys.stdin.buffer.raw.read(65536)
        if not more:
            sys.exit(0)
        *lines, self.request = (self.request + more).split(b"\n")
        for line in lines:
            text, after = getattr(self, f"do_{line.decode().strip()}")()
            sys.stdout.buffer.write(f"ok {text}\n".encode() + after)
            sys.stdout.buffer.flush()

    def do_lost(self):
        """The packets that came too fast to be seen: with any, nothing can be said."""
        self.look()
        self.lost += struct.unpack("II", self.packets.getsockopt(SOL_PACKET, STATISTICS, 8))[1]
        return self.lost, b""

    def do_connections(self):
        """Of each: nanoseconds of its SYN, both ports, how many bytes this host acknowledged and how many came.

        The bytes themselves follow the line, as they are, in the same order.
        """
        self.look()
        figures = (f"{c.began} {c.remote} {c.local} {c.acked} {len(c.stream)}" for c in self.all)
        return "\x1f".join(figures), b"".join(c.stream for c in self.all)

    # -- what it does by itself
    def look(self):
        while True:
            try:
                packet, address = self.packets.recvfrom(65536)
            except BlockingIOError:
                return
            self.see(packet, address[2] == OUTGOING)

    def see(self, packet, outgoing):
        if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
            return
        start, end = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
        source, target, number, acked = struct.unpack_from("!HHII", packet, start)
        flags = packet[start + 13]
        if outgoing:
            c = self.latest.get((packet[16:20], target, source))
            # A reset acknowledges nothing that counts: it is ignored by whoever gets it.
            if c and flags & ACK and not flags & RST:
                c.acked = max(c.acked, min(c.offset(acked), len(c.stream)))
            return
        key = (packet[12:16], source, target)
        if flags & (SYN | ACK) == SYN:
            if key not in self.latest or self.latest[key].first != number:
                self.latest[key] = Connection(number, source, target)
                self.all.append(self.latest[key])
        elif key in self.latest and (payload := packet[start + (packet[start + 12] >> 4) * 4:end]):
            self.latest[key].arrived(number, payload)


if __name__ == "__main__":
    Witness().run()
