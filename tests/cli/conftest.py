"""Commands as users type them, in a folder of their own, and a store that holds something."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.imitated import Cluster
from tests.acceptance.relay import PATIENCE
from tests.real.loops import LoopThread

ROOT = Path(__file__).parents[2]


class Shell:
    """A folder with a relay.yaml, and `msr-relay` in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, settings: Mapping[str, Any] | str) -> None:
        text = settings if isinstance(settings, str) else yaml.safe_dump(dict(settings), sort_keys=False)
        file = self.folder / "relay.yaml"
        file.write_text(text)
        file.chmod(0o600)

    def run(self, *words: str, env: Mapping[str, str] | None = None, stdin: str = "") -> "Ended":
        process = subprocess.run(
            [sys.executable, "-m", "relay", *words],
            cwd=self.folder,
            env=self.environment(env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Ended(process.returncode, process.stdout, process.stderr)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return {**kept, "PYTHONPATH": str(ROOT), **(more or {})}


class Ended:
    """What a command left behind."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"status {self.status}\n{self.out}\n{self.err}"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def make_cluster(loop_thread: LoopThread) -> Iterator[Callable[..., Cluster]]:
    with ExitStack() as stack:

        def make(*replicas: str) -> Cluster:
            cluster = Cluster(loop_thread, replicas or ("f2277ad178f7",))
            stack.callback(cluster.stop)
            return cluster

        yield make
