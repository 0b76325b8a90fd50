"""A demonstration as a subprocess, whose temporary files go to a folder of the test."""

import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 60.0
PYTHON = (sys.executable, "-m", "relay")


class Playing:
    """A running `msr-relay demo`; its output is read line by line."""

    def __init__(
        self, folder: Path, *options: str, command: Sequence[str] = PYTHON, cwd: Path | None = None
    ) -> None:
        # Of an ordinary length, so that the control socket is in there too.
        self.temporary = Path(tempfile.mkdtemp(prefix="demo-"))
        self._errors = folder / "errors"
        environment = {name: value for name, value in os.environ.items() if name not in _COLOURS}
        environment |= {"TMPDIR": str(self.temporary), "COLUMNS": "80"}
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                [*command, "demo", *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
                cwd=cwd,
                start_new_session=True,
            )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def until(self, text: str) -> None:
        """Read up to a line with this text."""
        while text not in self._next():
            pass

    def end(self, seconds: float = PATIENCE) -> int:
        """Wait for the end, read everything, and give the exit status."""
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        while not self._lines.empty():
            if (line := self._lines.get_nowait()) is not None:
                self.lines.append(line)
        return status

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """Leave no process behind, whatever has happened."""
        if self.process.poll() is None:
            self.process.kill()
        self.end()
        assert self.process.stdout is not None
        self.process.stdout.close()
        shutil.rmtree(self.temporary)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    @property
    def left(self) -> list[str]:
        """What lies in its temporary folder."""
        return [str(path.relative_to(self.temporary)) for path in self.temporary.rglob("*")]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _next(self) -> str:
        line = self._lines.get(timeout=PATIENCE)
        if line is None:
            raise AssertionError(f"it has ended:\n{self.output}\n{self.errors}")
        self.lines.append(line)
        return line


_COLOURS = {"FORCE_COLOR", "NO_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"}
