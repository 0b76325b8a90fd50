"""Reports, events and worlds for the tests of the engine, in as few words as possible."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from relay.engine.draft import Rules, World
from relay.engine.planning import event_of, pass_time, plan
from relay.engine.policy import Policy
from relay.engine.routing import Router
from relay.engine.rules import Rule
from relay.model.details import Ping, TrustRecord
from relay.model.event import Event, Subject, SubjectKind
from relay.model.observation import Condition, CursorMove, Fact, Failure, Report, Watch
from relay.model.plan import Plan
from relay.model.severity import Severity
from relay.render import expression

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EVERYTHING = Rule(name="everything", channels=["a"])


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def rule(name: str = "r", channels: Sequence[str] = ("a",), **fields: Any) -> Rule:
    return Rule.model_validate({"name": name, "channels": list(channels), **fields})


def router(*rules: Rule, channels: Sequence[str] = ("a", "b", "c")) -> Router:
    return Router(rules or (EVERYTHING,), channels, expression)


def condition(name: str = "r1", *, source: str | None = None, looks: int = 1, **fields: Any) -> Condition:
    made = Condition(
        type="ping.failing",
        identity=(name,),
        subject=Subject(SubjectKind.REPLICA, name),
        summary=f"Replica {name} cannot be reached",
        details=Ping(url=f"https://{name}", error="refused", reachable=False).plain(),
        source=name if source is None else source,
        looks=looks,
    )
    return replace(made, **fields)


def issue(name: str = "i1", *, critical: bool = False) -> Condition:
    return Condition(
        type="cluster.issue",
        identity=("id", name),
        subject=Subject(SubjectKind.ISSUE, name),
        summary=f"Issue {name}",
        severity=Severity.CRITICAL if critical else None,
    )


def deletion(repository: str = "prod/app", record: str = "1") -> Fact:
    return Fact(
        type="trust.deleted",
        identity=(record, "2026-11-23T11:59:59", repository),
        subject=Subject(SubjectKind.REPOSITORY, repository, gun=f"msr.example.com/{repository}"),
        summary=f"Trust data of {repository} was deleted",
        happened_at=at(-1),
        details=TrustRecord(record_id=record, version=0, sha256="", feed="all repositories").plain(),
    )


def report(
    seconds: float = 0,
    *conditions: Condition,
    watcher: str = "ping",
    cluster: str | None = "prod",
    sources: Sequence[str] = ("r1", "r2"),
    facts: Sequence[Fact] = (),
    failures: Sequence[Failure] = (),
    cursor: CursorMove | None = None,
    complete: bool = True,
    undecided: Sequence[str] = (),
) -> Report:
    return Report(
        Watch(cluster, watcher),
        at(seconds),
        tuple(sources),
        tuple(conditions),
        tuple(facts),
        tuple(failures),
        cursor,
        complete,
        frozenset(undecided),
    )


def failure(source: str = "r1", cause: str = "refused", **fields: Any) -> Failure:
    return Failure(source, cause, **fields)


class Engine:
    """Planning with its world carried along: what intake does, without the store."""

    def __init__(self, *rules: Rule, policy: Policy | None = None) -> None:
        self.router = router(*rules)
        self.policy = policy or Policy()
        self.world = World()
        self.known: set[str] = set()
        self.memos: dict[str, str] = {}

    def take(self, seen: Report) -> Plan:
        events = [event_of(fact, seen, self.policy) for fact in seen.facts]
        decided, self.world = plan(seen, events, self.known, self.world, self.policy, Rules(self.router))
        self.known.update(event.id for event in decided.events)
        self.memos.update(decided.memos)
        return decided

    def pass_time(self, when: datetime) -> Plan:
        decided, self.world = pass_time(when, self.world, self.policy, Rules(self.router))
        self.memos.update(decided.memos)
        return decided


def told(decided: Plan) -> list[tuple[str, str]]:
    """What a plan tells: (type, status) of each event that somebody gets."""
    by_id: dict[str, Event] = {event.id: event for event in decided.events}
    sent = [by_id[each.events[0]] for each in decided.deliveries]
    return [(event.type, event.status.value) for event in sent]
