#!/usr/bin/env python3
"""Reads a strace and says whether each acknowledgement follows the sync that covers it.

usage: trace_check.py --log REGEX --ack REGEX TRACE
The trace is made by: strace -f -y -s 64 -e trace=openat,creat,write,writev,pwrite64,pwritev,pwritev2,fdatasync,fsync,
    rename,renameat,renameat2,sendto,sendmsg -o TRACE PROGRAM...
--log   which file paths are log segments (a write to one must be synced before an acknowledgement)
--ack   which bytes, written to standard output or a socket, are an acknowledgement

A write is covered by a sync of the same file that began after the write ended and itself ended, with 0, before the
acknowledgement began. A log file that was created is covered when its directory was synced likewise. Exit 0: every
acknowledgement is covered and there was at least one, with log writes before the first; 1: not; 2: usage.
"""
import argparse
import os
import re
import sys

LINE = re.compile(r"^(?:\[pid +)?(\d+)?\]? *(?:\d+:\d+:\d+\.\d+ |\d+\.\d+ )?(.*)$")
CALL = re.compile(r"^(\w+)\((.*)$", re.S)
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$", re.S)
FD = re.compile(r"^(\d+)<((?:[^<>]|->|<->|\\[<>])*)>")
WRITES = {"write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg"}
SYNCS = {"fdatasync", "fsync"}


def calls(lines):
    """Yields (line number, "begin" | "end", thread, name, arguments, result) in the order of the trace."""
    open_calls = {}
    for number, line in enumerate(lines, 1):
        thread, rest = LINE.match(line.rstrip("\n")).groups()
        thread = thread or "0"
        resumed = RESUMED.match(rest)
        if resumed:
            name, arguments = open_calls.pop(thread, (resumed.group(1), ""))
            yield number, "end", thread, name, arguments, result_of(resumed.group(2))
            continue
        call = CALL.match(rest)
        if not call:
            continue
        name, tail = call.groups()
        if tail.endswith("<unfinished ...>"):
            open_calls[thread] = (name, tail)
            yield number, "begin", thread, name, tail, None
            continue
        yield number, "begin", thread, name, tail, None
        yield number, "end", thread, name, tail, result_of(tail)


def result_of(tail):
    match = re.search(r"\) += (-?\d+)[^=]*$", tail)
    return int(match.group(1)) if match else None


class Check:
    def __init__(self, log, ack):
        self.log, self.ack = re.compile(log), re.compile(ack)
        self.dirty = {}      # path of a log file, or of a directory with a new log file -> line of the change
        self.syncing = {}    # thread -> (path, line at which its sync began)
        self.acks = self.writes = self.syncs = 0
        self.bad = []

    def take(self, number, edge, thread, name, arguments, result):
        fd = FD.match(arguments)
        path = fd.group(2) if fd else ""
        if name in WRITES and edge == "begin" and self.is_ack(fd, path, name, arguments):
            self.acknowledged(number, arguments)
        elif name in WRITES and self.log.search(path) and (edge == "begin" or result is None or result > 0):
            self.dirty[path] = number
            self.writes += edge == "begin"
        elif name in SYNCS and edge == "begin":
            self.syncing[thread] = (path, number)
        elif name in SYNCS:
            synced, began = self.syncing.pop(thread, (path, number))
            if result == 0 and self.dirty.get(synced, number) <= began:
                self.syncs += self.dirty.pop(synced, None) is not None
        elif name in ("openat", "creat") and edge == "end" and ("O_CREAT" in arguments or name == "creat"):
            self.created(number, arguments)

    def created(self, number, arguments):
        opened = re.search(r"= \d+<([^>]*)>", arguments)
        if opened and self.log.search(opened.group(1)):
            self.dirty[os.path.dirname(opened.group(1))] = number

    def is_ack(self, fd, path, name, arguments):
        if not fd or not self.ack.search(arguments.replace('\\"', '"')):
            return False
        return fd.group(1) == "1" or "socket:" in path or path.startswith(("TCP", "UNIX")) or name.startswith("send")

    def acknowledged(self, number, arguments):
        self.acks += 1
        for path, line in self.dirty.items():
            self.bad.append(f"line {number}: acknowledged before the sync of {path} (changed at line {line}): "
                            f"{arguments[:60]}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--ack", required=True)
    parser.add_argument("trace")
    options = parser.parse_args()
    check = Check(options.log, options.ack)
    with open(options.trace, encoding="utf-8", errors="replace") as lines:
        for event in calls(lines):
            check.take(*event)
    print(f"{check.acks} acknowledgements, {check.writes} log writes, {check.syncs} syncs that covered some")
    for line in check.bad[:10]:
        print(line)
    if not check.acks or not check.writes or not check.syncs:
        print("the trace shows no acknowledgement after a synced log write")
        return 1
    return 1 if check.bad else 0


if __name__ == "__main__":
    sys.exit(main())
