"""The relay as users run it: a process of its own, with a configuration file and a store in a folder."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tests.real import forked
from tests.real.forked import Forked, environment
from tests.real.loops import free_port

T = TypeVar("T")
Process = Forked | subprocess.Popen[bytes]

PATIENCE = 30.0
"""Seconds after which something that should have happened counts as failed; no lower bound anywhere."""
_AGAIN = 0.02


def until(condition: Callable[[], T], what: str, timeout: float = PATIENCE) -> T:
    """What the condition gives once that is true; AssertionError with the words if it takes too long."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s until {what}")
        time.sleep(_AGAIN)
    return found


class Relay:
    """`python -m relay run`, started and ended as often as a test likes, always on the same store."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        self.file = folder / "relay.yaml"
        self.store = folder / "relay.db"
        self.socket = folder / "relay.db.sock"
        self.port = free_port()
        self._log = folder / "relay.log"
        self._process: Process | None = None
        self._settings: dict[str, Any] = {}
        self.configure(settings)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write the configuration file anew."""
        fixed = {
            "store": f"sqlite:///{self.store}",
            "server": {"listen": f"127.0.0.1:{self.port}"},
            "log": {"format": "json"},
        }
        self._settings = {**fixed, **settings}
        self.write(yaml.safe_dump(self._settings, sort_keys=False))

    def change(self, **settings: Any) -> None:
        """Write the configuration file anew, with these parts in place of the earlier ones."""
        self.configure({**self._settings, **settings})

    def write(self, text: str) -> None:
        """Put the file in place whole, as careful tools do."""
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.file)

    def start(self, stop_at: str | None = None, *, wait: bool = True, fresh: bool = False) -> None:
        """Start the process; with `wait` return when it is ready. With `fresh` it is not forked."""
        assert not self.running
        self._process = self._spawn(stop_at, fresh)
        if wait:
            until(self._is_up, "the relay is ready")

    def start_refused(self) -> tuple[int, str]:
        """Start a second process that is expected to end by itself: its status and standard error."""
        status, _, error = forked.run(self._words, cwd=self.folder, env=environment(), timeout=PATIENCE)
        return status, error

    def _spawn(self, stop_at: str | None, fresh: bool) -> Process:
        stop = {} if stop_at is None else {"RELAY_STOP_AT": stop_at}
        with self._log.open("ab") as log, Path(os.devnull).open() as nothing:
            if fresh:
                command = [sys.executable, "-m", "relay", *self._words]
                return subprocess.Popen(
                    command, cwd=self.folder, env=environment(stop), stdin=nothing, stdout=log, stderr=log
                )
            return Forked(
                self._words, cwd=self.folder, env=environment(stop), stdin=nothing, stdout=log, stderr=log
            )

    @property
    def _words(self) -> list[str]:
        return ["run", "--config", str(self.file)]

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def process(self) -> Process:
        """The process that was started last."""
        assert self._process is not None
        return self._process

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def wait(self, timeout: float = PATIENCE) -> int:
        """The status that the process ends with, of itself."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the relay still runs after {timeout:g} s:\n{self.log()[-4000:]}") from None

    def stop(self) -> int:
        """Stop gracefully; the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def close(self) -> None:
        """Leave no process behind, whatever has happened."""
        if self.running:
            self.process.kill()
            self.process.wait(PATIENCE)

    def log(self) -> str:
        """Everything that it has written to its standard output and error."""
        return self._log.read_text(errors="replace")

    def entries(self, event: str) -> list[dict[str, Any]]:
        """The entries of the log that say this."""
        lines = (line for line in self.log().splitlines() if line.startswith("{"))
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and document at a path of the listen address. OSError where nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What the store holds."""
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=PATIENCE)) as connection:
            return connection.execute(query, parameters).fetchall()

    def _is_up(self) -> bool:
        if not self.running:
            raise AssertionError(f"the relay ended with {self.process.returncode}:\n{self.log()[-4000:]}")
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False
