#!/usr/bin/env python3
"""Compares the JSON reader and writer with Python's json over seeded texts and mutations of them.

usage: json_oracle.py PROBE [COUNT [SEED]]     PROBE is the program of json_probe.c
Exit: 0 all agree, 1 one does not (it is printed)."""
import json
import random
import subprocess
import sys

DEPTH = 64


def no_constant(name):
    raise ValueError(name)


def no_duplicates(pairs):
    if len({k for k, _ in pairs}) != len(pairs):
        raise ValueError("duplicate")
    return dict(pairs)


def check(value, depth=0):
    if isinstance(value, (dict, list)):
        if depth == DEPTH:
            raise ValueError("deep")
        children = value if isinstance(value, list) else list(value) + list(value.values())
        for child in children:
            check(child, depth + 1)
    elif isinstance(value, str):
        value.encode()  # a lone surrogate has no UTF-8


def oracle(text):
    try:
        value = json.loads(text.decode(), object_pairs_hook=no_duplicates, parse_constant=no_constant,
                           parse_int=lambda s: ("number", s), parse_float=lambda s: ("number", s))
        check(value)
        return True, value
    except (ValueError, RecursionError):
        return False, None


def draw_text(r):
    parts = ["a", "", "\\n", "\\u0041", "\\ud834\\udd1e", "\u00e9", "\u20ac", "\U0001d11e", "\\\\", '\\"', " ", "\x7f"]
    return '"' + "".join(r.choice(parts) for _ in range(r.randrange(5))) + '"'


def draw_value(r, depth):
    kind = r.randrange(8 if depth < 5 else 6)
    space = r.choice(["", "", " ", "\n\t"])
    if kind == 0:
        return r.choice(["true", "false", "null"])
    if kind < 3:
        return draw_text(r)
    if kind < 6:
        return r.choice(["0", "-0", "1.10", "-12", "3e5", "2E-3", "1.5e+10", str(r.randrange(10**20))])
    children = [draw_value(r, depth + 1) for _ in range(r.choice([0, 1, 2, 3, 12]))]
    if kind == 6:
        return "[" + space + (space + "," + space).join(children) + space + "]"
    return "{" + ",".join(space + draw_text(r) + space + ":" + space + c for c in children) + space + "}"


def mutate(r, text):
    text = bytearray(text)
    for _ in range(r.choice([0, 1, 1, 2, 4])):
        at = r.randrange(len(text) + 1)
        what = r.randrange(3)
        if what == 0:
            text[at:at + r.randrange(3)] = b""
        elif what == 1:
            text[at:at] = r.choice([b'"', b"\\", b",", b"[", b"]", b"{", b"}", b":", b"0", b".", b"e", b"-", b"u", b"\\u",
                                    b"d8", b"\x00", b"\x1f", b"\x80", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"NaN"])
        elif at < len(text):
            text[at] = r.randrange(256)
    return bytes(text)


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    r = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    texts = [b"[" * n + b"]" * n for n in (63, 64, 65, 66)]
    texts += [mutate(r, draw_value(r, 0).encode()) for _ in range(count)]
    sent = b"".join(b"%d\n%s" % (len(t), t) for t in texts)
    answers = subprocess.run([sys.argv[1]], input=sent, stdout=subprocess.PIPE, check=True).stdout.split(b"\n")
    taken = 0
    for text, answer in zip(texts, answers):
        ok, value = oracle(text)
        if (answer != b"no") != ok or (ok and oracle(answer) != (True, value)):
            print("differs:", text, "ours:", answer, "python:", ok)
            return 1
        taken += ok
    print(f"{len(texts)} texts agree, {taken} of them valid")
    return 0


sys.exit(main())
