"""Commands as users type them, in a folder of their own, and a store that holds something."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.imitated import Cluster
from tests.acceptance.relay import PATIENCE
from tests.real import forked
from tests.real.forked import environment
from tests.real.loops import LoopThread


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
        """Run a command in a process that has been forked: see tests/real/forkserver.py."""
        return Ended(*forked.run(words, cwd=self.folder, env=environment(env), stdin=stdin, timeout=PATIENCE))

    def run_fresh(self, *words: str, env: Mapping[str, str] | None = None, stdin: str = "") -> "Ended":
        """Run a command as a user does, in an interpreter of its own."""
        process = subprocess.run(
            [sys.executable, "-m", "relay", *words],
            cwd=self.folder,
            env=environment(env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Ended(process.returncode, process.stdout, process.stderr)


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    status: int
    out: str
    err: str

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
