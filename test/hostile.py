#!/usr/bin/env python3
"""Hostile requests, each with the answer it gets: hostile.py TENFOLD [--table]

The same bytes go to `tenfold meter serve` and, where it is installed, to nginx. What ours must answer is checked; nginx's
answer stands beside it. A row is (what it is, bytes, status wanted, closed afterwards). --table prints the table."""
import os, re, shutil, socket, subprocess, sys, tempfile

GET = b"GET /healthz HTTP/1.1\r\nHost: h\r\n"
POST = b"POST /meter/v1/readings HTTP/1.1\r\nHost: h\r\n"
SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"

ROWS = [
    ("a plain request", GET + b"\r\n", 200, False),
    # Two readers of the same bytes must not see two requests.
    ("Content-Length with Transfer-Encoding", POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400, True),
    ("two different Content-Lengths", POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400, True),
    ("the same Content-Length twice", POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 400, True),
    ("a list as Content-Length", POST + b"Content-Length: 4, 4\r\n\r\nabcd", 400, True),
    ("Content-Length with a sign", POST + b"Content-Length: +4\r\n\r\nabcd", 400, True),
    ("a negative Content-Length", POST + b"Content-Length: -1\r\n\r\n", 400, True),
    ("a hexadecimal Content-Length", POST + b"Content-Length: 0x4\r\n\r\nabcd", 400, True),
    ("Content-Length past 64 bits", POST + b"Content-Length: 18446744073709551617\r\n\r\na", 400, True),
    ("an unknown transfer coding before chunked", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, True),
    ("chunked not last", POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", None, True),
    ("a coding that only looks like chunked", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", None, True),
    ("Transfer-Encoding twice", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, True),
    ("a chunk size with a sign", POST + b"Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n", 400, True),
    ("a chunk size with 0x", POST + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n", 400, True),
    ("a chunk size past 64 bits", POST + b"Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n", None, True),
    ("a chunk longer than its size", POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400, True),
    ("a bare LF behind a chunk size", POST + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", 400, True),
    # Lines.
    ("bare LF line ends", b"GET /healthz HTTP/1.1\nHost: h\n\n", 400, True),
    ("a bare CR in a value", GET + b"X: a\rb\r\n\r\n", 400, True),
    ("a NUL in a value", GET + b"X: a\0b\r\n\r\n", 400, True),
    ("a folded line (obs-fold)", GET + b"X: a\r\n b\r\n\r\n", 400, True),
    ("a blank before the colon", GET + b"X : a\r\n\r\n", 400, True),
    ("a line without colon", GET + b"nonsense\r\n\r\n", 400, True),
    ("a header with an empty name", GET + b": a\r\n\r\n", 400, True),
    # Whom it is for.
    ("no Host", b"GET /healthz HTTP/1.1\r\n\r\n", 400, True),
    ("two Hosts", GET + b"Host: other\r\n\r\n", 400, True),
    ("a Host with a blank", b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400, True),
    ("an absolute target that differs from Host", b"GET http://other/healthz HTTP/1.1\r\nHost: h\r\n\r\n", 400, True),
    ("an absolute target of https", b"GET https://h/healthz HTTP/1.1\r\nHost: h\r\n\r\n", 400, True),
    # The request line.
    ("two blanks in the request line", b"GET  /healthz HTTP/1.1\r\nHost: h\r\n\r\n", 400, True),
    ("a tab in the request line", b"GET\t/healthz HTTP/1.1\r\nHost: h\r\n\r\n", 400, True),
    ("a method that is none", b"G@T /healthz HTTP/1.1\r\nHost: h\r\n\r\n", 400, True),
    ("HTTP/1.0", b"GET /healthz HTTP/1.0\r\nHost: h\r\n\r\n", 505, True),
    ("HTTP/0.9", b"GET /healthz\r\n\r\n", 400, True),
    ("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, True),
    ("a bad percent sign in the path", b"GET /he%zzlthz HTTP/1.1\r\nHost: h\r\n\r\n", 400, True),
    ("a fragment in the target", b"GET /healthz#x HTTP/1.1\r\nHost: h\r\n\r\n", 400, True),
    ("a way out of the root", b"GET /../../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n", 404, False),
    ("CONNECT", b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", None, True),
    # Limits.
    ("a header of 64 KiB", GET + b"X: " + b"a" * 65536 + b"\r\n\r\n", 431, True),
    ("a target of 64 KiB", b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414, True),
    ("a thousand headers", GET + b"X: a\r\n" * 1000 + b"\r\n", 431, True),
    ("a body of 1 TB announced", POST + b"Content-Length: 1099511627776\r\n\r\n", 413, True),
    ("an unknown expectation", POST + b"Content-Length: 1\r\nExpect: magic\r\n\r\na", 417, True),
    ("TLS to a plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64, 400, True),
]


def ask(port, data):
    """Status of the first answer, how many answers, and whether the server closed by itself."""
    s = socket.create_connection(("127.0.0.1", port), timeout=10)
    s.settimeout(1.5)
    got, closed = b"", False
    try:
        s.sendall(data)
    except OSError:
        closed = True
    try:
        while True:
            part = s.recv(65536)
            if not part:
                closed = True
                break
            got += part
    except (TimeoutError, socket.timeout):
        pass
    except OSError:
        closed = True
    s.close()
    status = re.match(rb"HTTP/1\.1 (\d{3})", got)
    return int(status.group(1)) if status else 0, len(re.findall(rb"HTTP/1\.1 \d{3}", got)), closed


def start_ours(program, directory):
    log = open(os.path.join(directory, "log"), "w+")
    p = subprocess.Popen([program, "meter", "serve", "--data", os.path.join(directory, "data"), "--listen", "127.0.0.1:0"], stderr=log)
    while p.poll() is None:
        log.seek(0)
        ready = re.search(r'"event":"serve.ready".*?"address":"127\.0\.0\.1:(\d+)"', log.read())
        if ready:
            return p, int(ready.group(1))
    sys.exit("serve ended")


def start_nginx(directory):
    if not shutil.which("nginx"):
        return None, 0
    probe = socket.create_server(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    probe.close()
    conf = os.path.join(directory, "nginx.conf")
    temporary = " ".join("%s_temp_path %s/%s;" % (k, directory, k) for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(conf, "w") as f:
        f.write("daemon off; master_process off; pid %s/pid; error_log %s/error.log; events {}\n" % (directory, directory))
        f.write("http { access_log off; %s server { listen 127.0.0.1:%d; location / { return 404; } location = /healthz { return 200 ok; } } }\n" % (temporary, port))
    p = subprocess.Popen(["nginx", "-c", conf], stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return p, port
        except OSError:
            if p.poll() is not None:
                return None, 0
    return None, 0


def main():
    program, table = sys.argv[1], "--table" in sys.argv
    with tempfile.TemporaryDirectory() as directory:
        ours, port = start_ours(program, directory)
        nginx, nginx_port = start_nginx(directory)
        if table:
            print("%-46s %-14s %s" % ("request", "tenfold", "nginx" if nginx else ""))
        for what, data, want, closes in ROWS:
            status, count, closed = ask(port, data)
            good = count == 1 and closed == closes and (status == want if want else 400 <= status < 600)
            theirs = ""
            if nginx:
                s, n, c = ask(nginx_port, data)
                theirs = "%s%s%s" % (s or "nothing", ", closed" if c else "", ", %d ANSWERS" % n if n > 1 else "")
            mine = "%s%s" % (status or "nothing", ", closed" if closed else "")
            if table:
                print("%-46s %-14s %s" % (what, mine, theirs))
            else:
                print("%s - %s: %s%s" % ("ok" if good else "not ok", what, mine, " (nginx: %s)" % theirs if theirs else ""))
        still = ask(port, ROWS[0][1])[0] == 200
        if not table:
            print("%s - and serves on" % ("ok" if still else "not ok"))
        ours.terminate()
        ours.wait()
        if nginx:
            nginx.terminate()
            nginx.wait()


main()
