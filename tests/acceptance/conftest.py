"""Relays as subprocesses, imitated clusters, and what receivers got."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.imitated import Cluster
from tests.acceptance.relay import Relay
from tests.real.loops import LoopThread

MakeRelay = Callable[[Mapping[str, Any]], Relay]
MakeCluster = Callable[..., Cluster]


@pytest.fixture
def make_relay(tmp_path: Path) -> Iterator[MakeRelay]:
    """`make_relay(settings)`: a relay with a store of its own; no process outlives the test."""
    with ExitStack() as stack:
        made: list[Relay] = []

        def make(settings: Mapping[str, Any]) -> Relay:
            folder = tmp_path / f"relay-{len(made)}"
            folder.mkdir()
            relay = Relay(folder, settings)
            stack.callback(relay.close)
            made.append(relay)
            return relay

        yield make


@pytest.fixture
def make_cluster(loop_thread: LoopThread) -> Iterator[MakeCluster]:
    """`make_cluster(replicas=(…))`: imitated clusters; they end with the test."""
    with ExitStack() as stack:

        def make(*replicas: str) -> Cluster:
            cluster = Cluster(loop_thread, replicas) if replicas else Cluster(loop_thread)
            stack.callback(cluster.stop)
            return cluster

        yield make


@pytest.fixture
def cluster(make_cluster: MakeCluster) -> Cluster:
    """An imitated cluster of one replica."""
    return make_cluster()
