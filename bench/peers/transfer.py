"""os.sendfile() of CPython, beside transfer(): file -> TCP socket on the loopback interface.

    transfer.py send SOURCE PORT REPEATS
    transfer.py through SOURCE TARGET REPEATS    file -> pipe of 1 MiB -> file, by os.splice()

Prints one JSON array with the milliseconds of each repetition, and its CPU time.
"""

import fcntl
import json
import os
import socket
import sys
import time

SEND_BYTES = 512 << 10
PIPE_BYTES = 1 << 20
SETPIPE_SZ = 1031


def send(source, port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        offset = 0
        while count := os.sendfile(connection.fileno(), source, offset, SEND_BYTES):
            offset += count


def through(source, path):
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    read, write = os.pipe()
    fcntl.fcntl(write, SETPIPE_SZ, PIPE_BYTES)
    offset = 0
    while held := os.splice(source, write, PIPE_BYTES, offset_src=offset):
        offset += held
        while held > 0:
            held -= os.splice(read, target, held)
    for fd in (read, write, target):
        os.close(fd)


what, path, target, repeats = sys.argv[1:]
source = os.open(path, os.O_RDONLY)
costs = []
for i in range(int(repeats)):
    cpu, wall = time.process_time(), time.perf_counter()
    if what == "send":
        send(source, int(target))
    else:
        through(source, target)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if what == "through" and i < int(repeats) - 1:
        os.unlink(target)
    costs.append({"wallMs": wall * 1e3, "cpuMs": cpu * 1e3})
print(json.dumps(costs))
