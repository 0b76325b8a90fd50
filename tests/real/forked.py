"""`msr-relay` as a process, without the second that its imports take: see forkserver.py."""

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

from tests.real.forkserver import LENGTH

ROOT = Path(__file__).parents[2]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a command inherits: little, so that it does not depend on who runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), **(more or {})}


class Forked:
    """A process that runs `msr-relay` with these words. Its methods are those of `subprocess.Popen`."""

    def __init__(
        self,
        words: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdin: int | IO[Any],
        stdout: int | IO[Any],
        stderr: int | IO[Any],
    ) -> None:
        self.returncode: int | None = None
        ours, theirs = os.pipe()
        self._report = os.fdopen(ours)
        order = json.dumps({"words": list(words), "cwd": str(cwd), "env": dict(env)}).encode()
        streams = [each if isinstance(each, int) else each.fileno() for each in (stdin, stdout, stderr)]
        try:
            _server().order(order, [*streams, theirs])
        finally:
            os.close(theirs)
        self.pid = int(self._report.readline())

    def poll(self) -> int | None:
        """The exit status, or minus the signal, once it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float) -> int:
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("msr-relay", timeout)
            with self._report:
                self.returncode = int(self._report.readline())
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run(
    words: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: str = "", timeout: float
) -> tuple[int, str, str]:
    """Runs a command to its end: its exit status, standard output and standard error."""
    with (
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(stdin)
        given.seek(0)
        process = Forked(words, cwd=cwd, env=env, stdin=given, stdout=out, stderr=err)
        try:
            process.wait(timeout)
        finally:
            process.kill()
            status = process.wait(timeout)
        out.seek(0)
        err.seek(0)
        return status, out.read().decode(), err.read().decode()


class _Server:
    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair()
        self._one = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.real.forkserver", str(theirs.fileno())],
                cwd=ROOT,
                env=environment(),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        atexit.register(self.close)

    def order(self, order: bytes, descriptors: list[int]) -> None:
        with self._one:
            socket.send_fds(self._orders, [len(order).to_bytes(LENGTH, "big")], descriptors)
            self._orders.sendall(order)

    def close(self) -> None:
        self._orders.close()
        self._process.wait(20)


@cache
def _server() -> _Server:
    return _Server()
