"""A watched cluster and a taker of reports, in as few words as possible."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from random import Random
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from relay.demo.feed import BackEnd, RethinkDb, Sql
from relay.demo.imitation import Imitation, User
from relay.engine.policy import Policy
from relay.http import Http, Route
from relay.model.event import Event
from relay.model.observation import Report
from relay.msr import Msr, Replica
from relay.store import CursorMovedError
from relay.watch import WATCHERS, Place, Watcher
from tests.engine.things import Engine
from tests.support.clock import ManualClock

HOST = "msr.example.com"
PASSWORD = "admin's pässword"
FLAVOURS: dict[str, Callable[[], BackEnd]] = {
    "RethinkDB": lambda: RethinkDb(Random(1)),
    "SQL": lambda: Sql(Random(1)),
}
Serve = Callable[[web.Application], Awaitable[str]]


class CrashError(Exception):
    """The process dies."""


class NothingKept:
    """A store that keeps nothing of repositories' trust data."""

    async def _nothing(self, *_: Any) -> list[Any]:
        return []

    waiting_trust = wanted_trust = unchecked_trust = expiring_trust = invalid_trust = _nothing


class Taker:
    """What intake and store do with reports: events are known by id, cursors move by compare-and-set."""

    def __init__(self, failures: int = 3) -> None:
        self.engine = Engine(policy=Policy(failures={"prod": failures}))
        self.cursors: dict[str, str] = {}
        self.events: list[Event] = []
        self.reports: list[Report] = []
        self.writes = 0
        self.die_at: int | None = None
        """Before so many reports more have been taken, the process dies."""

    async def read_cursor(self, scope: str) -> str | None:
        return self.cursors.get(scope)

    async def take(self, report: Report) -> None:
        if self.die_at is not None:
            self.die_at -= 1
            if self.die_at < 0:
                self.die_at = None
                raise CrashError
        self.reports.append(report)
        move = report.cursor
        if move is not None:
            if self.cursors.get(move.scope) != move.before:
                raise CursorMovedError(move.scope)
            self.cursors[move.scope] = move.after
        decided = self.engine.take(report)
        self.writes += not decided.empty
        self.events += decided.events

    def told(self, kind: str = "trust.") -> list[str]:
        """Type and repository of each event told, without the types' first parts."""
        return [
            f"{event.type.removeprefix('trust.')} {event.subject.name}"
            for event in self.events
            if event.type.startswith(kind)
        ]

    def statuses(self, kind: str) -> list[tuple[str, str]]:
        """Subject and status of each event of a type, in order."""
        return [(event.subject.name, event.status.value) for event in self.events if event.type == kind]

    def records(self) -> Counter[tuple[str, str]]:
        """How often each record was told, by its id and time."""
        return Counter(
            (event.details["record_id"], event.happened_at.isoformat())
            for event in self.events
            if event.type in {"trust.deleted", "trust.updated"}
        )

    def failing(self) -> list[str]:
        """What `watch.failing` says now cannot be read."""
        alerts = [alert for alert in self.engine.world.alerts.values() if alert.type == "watch.failing"]
        return [item["cause"] for alert in alerts for item in alert.details["failing"]]


class Watched:
    """An imitation of a cluster, served; the client for it; and what a relay has been told of it."""

    def __init__(self, clock: ManualClock, http: Http, flavour: str = "RethinkDB", replicas: int = 1) -> None:
        self.clock, self.flavour = clock, flavour
        self._http = http
        self.imitation = Imitation(
            HOST,
            [f"r{number + 1}" for number in range(replicas)],
            users=[
                User("admin", PASSWORD, admin=True),
                User("bot", "bot", repositories=frozenset({f"{HOST}/prod/app", f"{HOST}/prod/other"})),
            ],
            back_end=FLAVOURS[flavour](),
            clock=clock,
            random=Random(7),
        )
        self.replicas = [Replica(f"r{number + 1}", "") for number in range(replicas)]
        self.queries: list[str] = []
        """Change id and number of each request for the feed."""
        self.faults: list[Callable[[], web.StreamResponse] | None] = []
        """Answers in place of those to the next requests for the feed; None lets one pass."""
        self.answers: dict[tuple[str, str], Callable[[], web.Response]] = {}
        """Answers of replica and path in place of the true ones."""
        self.taker = Taker()
        self.imitation.interrupt = self._interrupt

    async def start(self, serve: Serve) -> "Watched":
        self.replicas = [
            Replica(replica.name, await serve(self.imitation.app(replica.name))) for replica in self.replicas
        ]
        return self

    def _interrupt(self, replica: str, request: web.Request) -> web.StreamResponse | None:
        if (replica, request.path) in self.answers:
            return self.answers[replica, request.path]()
        if request.path.endswith("changefeed"):
            self.queries.append(f"{request.query['change_id']} {request.query['records']}")
            fault = self.faults.pop(0) if self.faults else None
            return fault() if fault else None
        return None

    def msr(self, user: str = "admin", password: str = PASSWORD, **more: Any) -> Msr:
        return Msr(
            "prod",
            self.replicas,
            self.replicas[0].url,
            registry_host=HOST,
            username=user,
            password=SecretStr(password),
            http=self._http,
            route=Route(allow_private=True),
            clock=self.clock,
            **({"timeout": 5.0} | more),
        )

    def watcher(self, name: str = "changefeed", *, msr: Msr | None = None, **options: Any) -> Watcher[Any]:
        """A fresh watcher; `options` are its options, and a few of its place's."""
        place = {
            key: options.pop(key)
            for key in ("repositories", "failures", "each_replica", "horizon")
            if key in options
        }
        model, made = WATCHERS[name]
        return made(
            Place("prod", msr or self.msr(), self.clock, self.taker.read_cursor, NothingKept(), **place),
            model.model_validate(options),
        )

    async def look(self, watcher: Watcher[Any], times: int = 1, every: float = 0.0) -> list[Report]:
        """Lets a watcher look, and takes what it reports."""
        reports: list[Report] = []
        for _ in range(times):
            async with aclosing(watcher.look()) as looking:  # type: ignore[type-var]
                async for report in looking:
                    await self.taker.take(report)
                    reports.append(report)
            if every:
                await self.clock.advance(every)
        return reports

    async def sign(self, *repositories: str) -> list[str]:
        """Publishes, a second apart; gives the records' ids."""
        ids = []
        for repository in repositories:
            ids.append(self.imitation.sign(repository))
            await self.clock.advance(1)
        return ids

    async def visible(self) -> None:
        """Lets pass the time after which RethinkDB shows a record."""
        await self.clock.advance(61)


def answer(status: int = 200, text: str = "", document: Any = None) -> Callable[[], web.Response]:
    if document is not None:
        return lambda: web.json_response(document, status=status)
    return lambda: web.Response(status=status, text=text)


def page(*records: dict[str, Any]) -> Callable[[], web.Response]:
    return answer(document={"count": len(records), "records": list(records)})


def names(watched: Sequence[str], kind: str = "updated") -> list[str]:
    return [f"{kind} {name}" for name in watched]
