#!/usr/bin/env python3
"""The server of the lab tests: speaks lines, and misbehaves on request.

    ./netlab.py exec ID server -- ./peer.py 7000 [--backlog N] [--receive-buffer BYTES]

`PING` is answered with `PONG`; a line that begins with `#` is recorded; any other line is recorded and sent back. It is
steered by lines on stdin (see `Peer.do_*`), each answered with `ok VALUE` on stdout, and ends when stdin does.
"""
import argparse, contextlib, selectors, socket, struct, sys
from netlab import tcp_info


class Connection:
    def __init__(self, number, sock, port):
        self.number, self.sock, self.port, self.partial, self.out = number, sock, port, b"", bytearray()

    def kernel_bytes(self):
        return tcp_info(self.sock)["bytes_received"]


class Peer:
    def __init__(self, port, backlog, receive_buffer):
        self.selector, self.living, self.lines = selectors.DefaultSelector(), [], []
        self.ended = []
        self.accepted = self.pings = self.bytes = 0
        self.reading = self.answering = True
        self.port, self.backlog, self.receive_buffer, self.listener = port, backlog, receive_buffer, None
        self.do_listen("1")
        self.selector.register(sys.stdin.buffer.raw, selectors.EVENT_READ, self.command)
        self.request = b""

    def run(self):
        print("ok", flush=True)
        while True:
            for key, events in self.selector.select():
                if isinstance(key.data, Connection):
                    # A connection may have been ended by what was handled before it.
                    if key.data in self.living:
                        self.serve(key.data, events)
                else:
                    key.data()

    # -- what it is told
    def command(self):
        more = sys.stdin.buffer.raw.read(65536)
        if not more:
            sys.exit(0)
        *lines, self.request = (self.request + more).split(b"\n")
        for line in lines:
            verb, _, value = line.decode().partition(" ")
            print("ok", getattr(self, f"do_{verb}")(value), flush=True)

    def do_listen(self, on):
        """Listens (1) or refuses new connections (0)."""
        if self.listener:
            if self.listener.fileno() in self.selector.get_map():
                self.selector.unregister(self.listener)
            self.listener.close()
            self.listener = None
        if on == "1":
            self.listener = socket.socket(socket.AF_INET6)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self.receive_buffer:
                self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
            self.listener.setblocking(False)
            self.listener.bind(("::", self.port))
            self.listener.listen(self.backlog)
            self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        return ""

    def do_accepting(self, on):
        """Takes connections (1) or leaves them in the kernel's queue (0)."""
        known = self.listener.fileno() in self.selector.get_map()
        if known and on == "0":
            self.selector.unregister(self.listener)
        elif not known and on == "1":
            self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        return ""

    def do_reading(self, on):
        """Reads (1), or leaves the bytes in the kernel until its window is shut (0)."""
        self.reading = on == "1"
        for c in self.living:
            self.watch(c)
        return ""

    def do_answering(self, on):
        """Answers (1), or reads and says nothing (0)."""
        self.answering = on == "1"
        return ""

    def do_push(self, text):
        """Sends a line to everybody."""
        for c in list(self.living):
            self.send(c, text.encode() + b"\n")
        return len(self.living)

    def do_end(self, how):
        """Ends every connection: fin or rst."""
        for c in list(self.living):
            if how == "rst":
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.drop(c)
        return ""

    def do_counts(self, _):
        """Connections accepted so far, living ones, pings answered or not, lines and bytes read."""
        return f"{self.accepted} {len(self.living)} {self.pings} {len(self.lines)} {self.bytes}"

    def do_received(self, _):
        """Every line but the pings, with the number of its connection in front."""
        return "\x1f".join(f"{number} {line}" for number, line in self.lines)

    def do_kernel_bytes(self, _):
        """The bytes that this side's kernel got over the living connections, read or not."""
        return sum(c.kernel_bytes() for c in self.living)

    def do_connections(self, _):
        """Of every connection: its number, the port of its other side, and the bytes that this side's kernel got."""
        living = [(c.number, c.port, c.kernel_bytes()) for c in self.living]
        return "\x1f".join(" ".join(map(str, figures)) for figures in sorted(self.ended + living))

    # -- what it does by itself
    def accept(self):
        with contextlib.suppress(OSError):
            sock, address = self.listener.accept()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.accepted += 1
            c = Connection(self.accepted, sock, address[1])
            self.living.append(c)
            self.watch(c)

    def watch(self, c):
        events = (selectors.EVENT_READ if self.reading else 0) | (selectors.EVENT_WRITE if c.out else 0)
        if c.sock in self.selector.get_map():
            self.selector.modify(c.sock, events, c) if events else self.selector.unregister(c.sock)
        elif events:
            self.selector.register(c.sock, events, c)

    def serve(self, c, events):
        try:
            if events & selectors.EVENT_WRITE:
                self.flush(c)
            if events & selectors.EVENT_READ:
                more = c.sock.recv(65536)
                if not more:
                    return self.drop(c)
                self.bytes += len(more)
                *lines, c.partial = (c.partial + more).split(b"\n")
                for line in lines:
                    self.take(c, line)
        except BlockingIOError:
            pass
        except OSError:
            self.drop(c)

    def take(self, c, line):
        if line == b"PING":
            self.pings += 1
            answer = b"PONG\n"
        else:
            self.lines.append((c.number, line.decode(errors="replace")))
            answer = b"" if line.startswith(b"#") else line + b"\n"
        if self.answering and answer:
            self.send(c, answer)

    def send(self, c, data):
        c.out += data
        try:
            self.flush(c)
        except BlockingIOError:
            self.watch(c)
        except OSError:
            self.drop(c)

    def flush(self, c):
        while c.out:
            del c.out[:c.sock.send(c.out)]
        self.watch(c)

    def drop(self, c):
        if c not in self.living:
            return
        if c.sock in self.selector.get_map():
            self.selector.unregister(c.sock)
        self.living.remove(c)
        self.ended.append((c.number, c.port, c.kernel_bytes()))
        c.sock.close()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("port", type=int)
    p.add_argument("--backlog", type=int, default=128)
    p.add_argument("--receive-buffer", type=int, default=0, help="inherited by every connection; 0: the kernel's")
    Peer(**vars(p.parse_args())).run()


if __name__ == "__main__":
    main()
