"""The clients of MSR, which outlive a reload."""

from typing import Any

from relay.http import Http
from relay.model.clock import Clock
from relay.msr import Msr
from relay.settings import ClusterSettings


class Clients:
    """One client per cluster.

    A reload that leaves the access to a cluster as it is keeps its client: a refused password stays refused,
    and tokens stay valid. Else many reloads could lock an account.
    """

    def __init__(self, http: Http, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._made: dict[str, tuple[tuple[Any, ...], Msr]] = {}

    def get(self, cluster: ClusterSettings) -> Msr:
        """Return the client of a cluster."""
        access = _access(cluster)
        known = self._made.get(cluster.name)
        if known is not None and known[0] == access:
            return known[1]
        made = self._make(cluster)
        self._made[cluster.name] = access, made
        return made

    def keep(self, names: set[str]) -> None:
        """Forget the clients of all other clusters."""
        self._made = {name: made for name, made in self._made.items() if name in names}

    def _make(self, cluster: ClusterSettings) -> Msr:
        return Msr(
            cluster.name,
            cluster.members(),
            cluster.entry,
            registry_host=cluster.host,
            username=cluster.username,
            password=cluster.password,
            http=self._http,
            route=cluster.route(),
            clock=self._clock,
            timeout=cluster.timeout.total_seconds(),
        )


def _access(cluster: ClusterSettings) -> tuple[Any, ...]:
    """Return everything that makes a client this one."""
    return (
        cluster.members(),
        cluster.entry,
        cluster.host,
        cluster.username,
        cluster.password,
        cluster.route(),
        cluster.timeout,
    )
