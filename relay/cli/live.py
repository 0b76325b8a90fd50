"""``msr-relay check --live``: asks every cluster, and says who may read what. It sends no message."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from relay.app.clients import Clients
from relay.cli.output import clean, table
from relay.http import Http
from relay.model.clock import Clock
from relay.model.errors import Exit
from relay.msr import Msr, MsrError, NotMsr, Replica, Unreachable
from relay.settings import ClusterSettings, Settings

_ALL = "all repositories"


@dataclass(frozen=True, slots=True)
class Look:
    """What came of asking one thing: ``said`` is what MSR told, or the error; ``wanted`` whether a watcher
    that is on needs it."""

    cluster: str
    source: str
    what: str
    error: MsrError | None
    said: str
    wanted: bool

    @property
    def fails(self) -> bool:
        """Whether a watcher will not work."""
        return self.error is not None and self.wanted


async def ask(settings: Settings, clock: Clock) -> list[Look]:
    """Ask all clusters at once, each one thing after the other: a wrong password is sent once."""
    http = Http(clock)
    try:
        asked = await asyncio.gather(*(_cluster(each, http, clock) for each in settings.clusters))
    finally:
        await http.close()
    return [look for looks in asked for look in looks]


async def _cluster(cluster: ClusterSettings, http: Http, clock: Clock) -> list[Look]:
    msr = Clients(http, clock).get(cluster)
    looks: list[Look] = []
    for replica in msr.replicas:
        looks += [look async for look in _replica(cluster, msr, replica)]
    if all(isinstance(each.error, Unreachable | NotMsr) for each in looks):
        return looks
    for repository in cluster.repositories or (None,):
        feed = msr.changefeed("0", 1, repository)
        looks.append(await _look(cluster, repository or _ALL, "changefeed", feed, _count))
    return looks


async def _replica(cluster: ClusterSettings, msr: Msr, replica: Replica) -> AsyncIterator[Look]:
    try:
        await msr.recognise(replica)
    except (NotMsr, Unreachable) as error:
        yield Look(cluster.name, replica.name, "MSR", error, str(error), wanted=True)
        return
    except MsrError:
        # It answers like an MSR in trouble: what follows says which.
        pass
    yield await _look(cluster, replica.name, "ping", msr.ping(replica), _health)
    yield await _look(cluster, replica.name, "nginx_status", msr.nginx_status(replica), _connections)
    yield await _look(cluster, replica.name, "cluster_status", msr.cluster_status(replica), _issues)


async def _look(cluster: ClusterSettings, source: str, what: str, answer: Awaitable[Any], tell: Any) -> Look:
    wanted = what in cluster.watchers()
    try:
        return Look(cluster.name, source, what, None, tell(await answer), wanted)
    except MsrError as error:
        return Look(cluster.name, source, what, error, str(error), wanted)


def _health(ping: Any) -> str:
    return "healthy" if ping.healthy else f"unhealthy: {ping.error or 'it does not say why'}"


def _connections(status: Any) -> str:
    return f"active connections: {status.active}"


def _issues(status: Any) -> str:
    return f"issues: {len(status.issues)}, replicas: {len(status.replica_health)}"


def _count(page: Any) -> str:
    return "has records" if page.records else "is empty"


def status(looks: list[Look]) -> Exit:
    """Return the exit status: UNREACHABLE where a cluster's URL gives no answer, FAILED for other trouble."""
    failing = [look for look in looks if look.fails]
    if not failing:
        return Exit.OK
    return Exit.UNREACHABLE if any(isinstance(each.error, Unreachable) for each in failing) else Exit.FAILED


def document(look: Look) -> dict[str, Any]:
    """Return a look for ``--json``."""
    return {
        "cluster": look.cluster,
        "source": look.source,
        "what": look.what,
        "ok": look.error is None,
        "watched": look.wanted,
        "said": look.said,
    }


def show(out: Console, settings: Settings, looks: list[Look]) -> None:
    """Print who may read what, a table per cluster."""
    for cluster in settings.clusters:
        who = f"as {clean(cluster.username)}" if cluster.username else "without a user"
        out.print(Text.assemble("\n", (clean(cluster.name), "bold"), f", asked {who}"))
        lines = [
            (look.source, look.what, _mark(look), look.said) for look in looks if look.cluster == cluster.name
        ]
        out.print(table(("source", "what", "readable", "MSR says"), lines, fold=("source", "MSR says")))


def _mark(look: Look) -> Text:
    if look.error is None:
        return Text("yes", "green")
    return Text("no", "red") if look.wanted else Text("no (off)", "dim")
