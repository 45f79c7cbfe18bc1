#!/usr/bin/env python3
"""Hostile HTTP/2: frames made by hand, each with what must come back: http2.py PORT, where `tenfold insure serve --http2`
listens. A request that breaks a rule costs its stream, a flood costs the connection, and neither reaches a handler."""
import socket, ssl, struct, sys

DATA, HEADERS, PRIORITY, RST, SETTINGS, _, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END, WHOLE = 1, 4
PROTOCOL, CALM = 1, 11


class Wire:
    def __init__(self, port):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        self.s = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10))
        self.inn, self.said = b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)
        self.resets, self.ended, self.goaway, self.pings = {}, set(), None, 0

    def say(self, *frames):
        try:
            self.s.sendall(self.said + b"".join(frames))
        except OSError:
            pass  # closed: the reader will see
        self.said = b""

    def take(self, n):
        while len(self.inn) < n:
            part = self.s.recv(65536)
            if not part:
                raise EOFError
            self.inn += part
        part, self.inn = self.inn[:n], self.inn[n:]
        return part

    def hear(self):
        head = self.take(9)
        kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0]
        body = self.take(int.from_bytes(head[:3], "big"))
        if kind == RST:
            self.resets[stream] = struct.unpack(">I", body)[0]
        elif kind == GOAWAY:
            self.goaway = struct.unpack(">I", body[4:8])[0]
        elif kind == PING and flags & 1:
            self.pings += 1
        elif kind in (HEADERS, DATA) and flags & END:
            self.ended.add(stream)

    def until(self, stream):
        while stream not in self.resets and stream not in self.ended:
            self.hear()

    def end(self):
        """Hears to the end; the GOAWAY's code."""
        try:
            while True:
                self.hear()
        except (EOFError, OSError):
            return self.goaway


def frame(kind, flags, stream, body=b""):
    return len(body).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack(">I", stream) + body


def field(name, value):
    def text(t):
        n, out = len(t), b""
        if n < 127:
            return bytes((n,)) + t
        n -= 127
        while n > 127:
            out += bytes((128 | n & 127,))
            n >>= 7
        return b"\x7f" + out + bytes((n,)) + t

    return b"\0" + text(name) + text(value)


def head(method=b"GET", path=b"/healthz", *more):
    return b"".join(field(n, v) for n, v in ((b":method", method), (b":scheme", b"https"), (b":path", path), (b":authority", b"h")) + more)


def ask(stream, *more, method=b"GET", path=b"/healthz", end=True):
    return frame(HEADERS, WHOLE | (END if end else 0), stream, head(method, path, *more))


failed = 0


def promise(name, kept):
    global failed
    failed += not kept
    print(("ok - " if kept else "not ok - ") + name, flush=True)


def requests(port):
    """Each on a stream of one connection."""
    w = Wire(port)
    rows = [("a name in capitals", (b"X-Up", b"a")), ("transfer-encoding", (b"transfer-encoding", b"chunked")), ("connection", (b"connection", b"close")),
            ("a line feed in a value", (b"x", b"a\nb")), ("a NUL in a value", (b"x", b"a\0b")), ("a colon in a name", (b"a:b", b"c")),
            ("a second :path", (b":path", b"/x")), ("an unknown pseudo-header", (b":x", b"y")), ("two lengths", (b"content-length", b"0"), (b"content-length", b"1"))]
    stream = 1
    for name, *more in rows:
        w.say(ask(stream, *more))
        w.until(stream)
        promise(f"{name}: the stream is reset", w.resets.get(stream) == PROTOCOL)
        stream += 2
    w.say(ask(stream, (b"content-length", b"5"), method=b"POST", path=b"/insure/v1/policies", end=False), frame(DATA, END, stream, b"{}"))
    w.until(stream)
    promise("a body shorter than its length: the stream is reset", w.resets.get(stream) == PROTOCOL)
    stream += 2
    w.say(ask(stream, *((b"x", b"y"),) * 100))
    w.until(stream)
    promise("100 headers are answered (431)", stream in w.ended)
    stream += 2
    w.say(ask(stream))
    w.until(stream)
    promise("and the connection goes on", stream in w.ended and w.goaway is None)


def flood(port, name, make, want=(CALM,)):
    w = Wire(port)
    for i in range(0, 3000, 50):
        w.say(*(make(n) for n in range(i, i + 50)))
    promise(f"{name}: the connection ends", w.end() in want)


def main():
    port = int(sys.argv[1])
    requests(port)
    flood(port, "rapid reset", lambda n: ask(1 + 2 * n) + frame(RST, 0, 1 + 2 * n, struct.pack(">I", 8)))
    flood(port, "streams that the server must reset", lambda n: ask(1 + 2 * n, (b"connection", b"close")))
    flood(port, "PING", lambda n: frame(PING, 0, 0, b"flooding"))
    flood(port, "SETTINGS", lambda n: frame(SETTINGS, 0, 0))
    flood(port, "CONTINUATION", lambda n: frame(CONTINUATION if n else HEADERS, 0, 1, b""), (CALM, PROTOCOL, None))
    # A field of 4,000 bytes, then 3,000 times its place in the table.
    big = b"\x40" + field(b"x", b"v" * 4000)[1:] + b"\xbe" * 3000
    w = Wire(port)
    w.say(frame(HEADERS, WHOLE | END, 1, big))
    promise("a header list that unpacks to 12 MB: the connection ends", w.end() == CALM)
    w = Wire(port)
    w.said = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
    w.say()
    w.end()
    promise("HTTP/1.1 after h2 was agreed: the connection ends", not w.ended)
    sys.exit(failed != 0)


main()
