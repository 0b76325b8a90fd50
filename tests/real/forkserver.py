"""A process that has imported everything, and forks for every command that it is ordered to run.

What is forked off is as real as what a shell starts: a process with its own streams, folder, environment,
signals and exit status, which ends as every interpreter does. Only what it imports is there already.
"""

import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
import time
from typing import Any

PRELOADED = ("relay.cli", "relay.app", "relay.channels", "relay.demo")
"""Packages of which every module is imported."""
STREAMS = 3
"""Standard input, output and error come first among what is handed over; then the pipe to report to."""
LENGTH = 8
"""Bytes that say how long a request is."""


def preload() -> None:
    for name in PRELOADED:
        package = importlib.import_module(name)
        for module in pkgutil.iter_modules(package.__path__, f"{name}."):
            importlib.import_module(module.name)
    # So that collections in what is forked off do not copy every page.
    gc.freeze()


def serve(orders: socket.socket) -> None:
    """Returns in what has been forked off, set up to be the command; the server ends with the tests."""
    # Ctrl-C is for the tests, which close the socket when they end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        head, handed, *_ = socket.recv_fds(orders, LENGTH, STREAMS + 1)
        if not head:
            sys.exit()
        order = json.loads(_exactly(orders, int.from_bytes(head, "big")))
        if os.fork() == 0:
            orders.close()
            _watch(handed)
            return _become(order)
        for descriptor in handed:
            os.close(descriptor)


def _exactly(orders: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        found += orders.recv(length - len(found))
    return found


def _watch(handed: list[int]) -> None:
    """Forks once more: one waits and reports the process and how it ended, the other returns."""
    *streams, report = handed
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        os.close(report)
        for place, descriptor in enumerate(streams):
            os.dup2(descriptor, place)
            os.close(descriptor)
        return
    for place, descriptor in enumerate(streams):
        os.close(place)
        os.close(descriptor)
    try:
        os.write(report, f"{child}\n".encode())
        _, status = os.waitpid(child, 0)
        os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    finally:
        os._exit(0)


def _become(order: dict[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    os.chdir(order["cwd"])
    sys.argv = ["msr-relay", *order["words"]]


if __name__ == "__main__":
    preload()
    serve(socket.socket(fileno=int(sys.argv[1])))
    from relay.cli import main

    main()
