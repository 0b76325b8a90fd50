"""A real Prometheus that scrapes one address, with its data in a folder of its own, on loopback only."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.real import parts
from tests.real.loops import PATIENCE, free_port

_AGAIN = 0.05


class Prometheus:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What it answers to an instant query."""
        found = self.get(f"/api/v1/query?{urlencode({'query': expression})}")
        return list(found["data"]["result"])

    def get(self, path: str) -> dict[str, Any]:
        """A document of its API. OSError where it does not answer yet."""
        with urllib.request.urlopen(f"{self._url}{path}", timeout=PATIENCE) as answer:
            return dict(json.loads(answer.read()))


@contextmanager
def prometheus(folder: Path, configuration: str) -> Iterator[Prometheus]:
    """Run one with this configuration, until the block ends."""
    program = parts.need("prometheus")["prometheus"]
    folder.mkdir()
    file, log, port = folder / "prometheus.yml", folder / "log", free_port()
    file.write_text(configuration)
    command = [
        program,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        made, deadline = Prometheus(port), time.monotonic() + PATIENCE
        while not _answers(made):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Prometheus does not run:\n{log.read_text()[-4000:]}")
            time.sleep(_AGAIN)
        yield made
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _answers(made: Prometheus) -> bool:
    try:
        return made.get("/api/v1/status/runtimeinfo")["status"] == "success"
    except OSError:
        return False
