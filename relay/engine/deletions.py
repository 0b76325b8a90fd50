"""Mass deletions: many deletions of trust data at once become one alert that lists them. Pure.

A deletion counts by the time at which it happened, for what the alert says has to be true: deletions that an
outage of the relay brings all at once, but that lay hours apart, are no mass deletion, and those that lay
seconds apart are one, however late they are seen. Two bounds: what happened in the future by MSR's clock
happened when it was seen, and what happened more than a week before is history (the first reading of an old
feed), which neither begins a mass deletion nor belongs to one that goes on.

That it goes on is judged by when deletions were *seen*: a clock of MSR that is behind must not end it at
each look. It ends when none was seen for the time, and the changefeed can be read: no news is not good news.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from relay.engine.lifecycle import Change
from relay.engine.policy import Mass, Policy
from relay.model.alert import Alert, AlertState
from relay.model.catalogue import stands_for
from relay.model.details import Deleted, MassDeletion
from relay.model.event import Event, Status, Subject, SubjectKind, namespace_of
from relay.model.ids import stable_id

DELETIONS = "deletions"
"""The name of the watch that ``trust.mass_deletion`` belongs to."""
FEED = "changefeed"
"""The watcher that sees deletions."""
LISTED = 1000
"""So many deletions an alert lists; the rest is counted."""

_TYPE = "trust.mass_deletion"
_OF = stands_for(_TYPE)
_LATE = timedelta(days=7)
"""What happened longer before it was seen is history."""
_REMEMBERED = timedelta(hours=1)
"""For so long, beside the time within which they count, deletions are remembered after they were seen: feeds
that are read one after another bring what belongs together in any order."""
_MOST = 1000
"""More deletions than this are not remembered: settings ask for far fewer."""
_NAMED = 2
_LONGEST = 100
"""So many names, and so much of one, are in a summary."""
_NAME = 500
"""So much of a name is listed; a registry's are shorter."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deletion that was told by itself, and may turn out to be one of many."""

    repository: str
    gun: str | None
    event: str
    at: datetime
    seen_at: datetime
    tags: int | None = None
    """How many signed tags were lost with it; None if that is not known."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Of a mass deletion that goes on: when its last deletion was seen, when it was told last to everybody
    that hears of it, and how many deletions it had then."""

    seen_at: datetime
    told_at: datetime
    told: int


@dataclass(frozen=True, slots=True)
class Deletions:
    """What is remembered of a cluster's deletions: those that were told by themselves lately, and how far
    each mass deletion has been told, by its alert's id."""

    recent: tuple[Deletion, ...] = ()
    progress: Mapping[str, Progress] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> "Deletions":
        """Return what ``write`` wrote."""
        return _MEMORY.validate_json(text)

    def write(self) -> str:
        """Return it as a text, the form in which it is kept across restarts."""
        return _MEMORY.dump_json(self).decode()


_MEMORY = TypeAdapter(Deletions)


def memo(cluster: str) -> str:
    """Return under which name a cluster's deletions are kept."""
    return f"deletions/{cluster}"


def still_counted(alert: Alert, policy: Policy) -> bool:
    """Tell whether a mass deletion is still what the configuration calls so."""
    mass = policy.mass.get(alert.cluster or "")
    return mass is not None and alert.details.get("per") == mass.per


def telling(event: Event, alerts: Iterable[Alert]) -> Alert | None:
    """Return the alert that fires and would tell a one-off event in its place."""
    for alert in alerts:
        if (
            stands_for(alert.type) == event.type
            and alert.cluster == event.cluster
            and alert.state is AlertState.FIRING
            and alert.details.get("scope")
            == _scope(str(alert.details.get("per")), event.cluster, event.subject.name)
            and event.seen_at - event.happened_at <= _LATE
        ):
            return alert
    return None


class Account:
    """Counts what a look brings of a cluster's deletions, one after another; then ``changes`` has what
    becomes of the mass deletions, and ``after`` what is to be remembered. Used once."""

    def __init__(
        self, cluster: str | None, before: Deletions, alerts: Iterable[Alert], at: datetime, policy: Policy
    ) -> None:
        self._cluster = cluster or ""
        self._mass = policy.mass.get(self._cluster)
        self._policy = policy
        self._at = at
        self._before = before
        self._recent = list(before.recent)
        self._progress = dict(before.progress)
        self._open = {
            str(alert.details["scope"]): alert
            for alert in alerts
            if alert.cluster == cluster and alert.watcher == DELETIONS and still_counted(alert, policy)
        }
        self._new: dict[str, list[Deletion]] = {}
        self._begun: dict[str, str] = {}
        self._telling: dict[str, str] = {}

    def take(self, event: Event) -> str | None:
        """Count an event; return the id of the alert that tells it, None for what is told by itself."""
        if event.id in self._telling:
            return self._telling[event.id]
        late = self._at - event.happened_at > _LATE
        if self._mass is None or event.type != _OF or late:
            return None
        at = min(event.happened_at, self._at)
        name, gun = _cut(event.subject.name), event.subject.gun
        found = Deletion(name, gun if gun is None else _cut(gun), event.id, at, self._at, _lost(event))
        scope = _scope(self._mass.per, event.cluster, found.repository)
        if scope in self._new or scope in self._open:
            self._new.setdefault(scope, []).append(found)
        elif not self._begins(scope, found, self._mass):
            return None
        alert = self._begun.get(scope) or self._open[scope].id
        self._telling[event.id] = alert
        return alert

    def _begins(self, scope: str, found: Deletion, mass: Mass) -> bool:
        """Remember a deletion; tell whether it is one too many within the time."""
        if all(each.event != found.event for each in self._recent):
            self._recent.append(found)
        many = self._too_many(scope, found, mass)
        if not many:
            return False
        taken = {each.event for each in many}
        self._recent = [each for each in self._recent if each.event not in taken]
        self._new[scope] = many
        self._begun[scope] = stable_id("alr", self._fingerprint(scope), self._at.isoformat())
        return True

    def _too_many(self, scope: str, found: Deletion, mass: Mass) -> list[Deletion]:
        """Return the deletions of the earliest stretch of time that has too many and this one among them."""
        near = sorted(
            (
                each
                for each in self._recent
                if abs(each.at - found.at) <= mass.within
                and _scope(mass.per, self._cluster, each.repository) == scope
            ),
            key=lambda each: each.at,
        )
        for number, first in enumerate(near):
            if first.at > found.at:
                break
            stretch = [each for each in near[number:] if each.at - first.at <= mass.within]
            if len(stretch) >= mass.count:
                return stretch
        return []

    def changes(self, *, readable: bool) -> Iterator[Change]:
        """Yield what becomes of the mass deletions; ``readable``: all that tells of deletions was read."""
        if self._mass is None:
            return
        for scope in list(dict.fromkeys((*self._open, *self._new))):
            new = self._new.get(scope, [])
            if scope in self._begun:
                alert = self._begin(scope, new, self._mass)
                self._told(alert)
                yield Change(alert, Status.FIRING)
                continue
            alert = self._open[scope]
            progress = self._progress_of(alert)
            if new:
                alert = _with(alert, new)
                progress = replace(progress, seen_at=self._at)
            self._open[scope] = alert
            self._progress[alert.id] = progress
            over = readable and self._at - progress.seen_at >= self._mass.within
            if progress.told < _count(alert) and (over or self._at - progress.told_at >= self._mass.update):
                # Also before it ends: an end is no news, and not told to those whose beginning was silenced.
                alert = replace(alert, revision=alert.revision + 1)
                self._told(alert)
                yield Change(alert, Status.FIRING)
            elif over:
                del self._open[scope]
                yield Change(replace(alert, state=AlertState.RESOLVED, ends_at=self._at), Status.RESOLVED)
            elif new:
                yield Change(alert)

    def after(self) -> Deletions:
        """Return what is to be remembered."""
        if self._mass is None:
            return self._before
        within = self._mass.within + _REMEMBERED
        recent = [each for each in self._recent if abs(self._at - each.seen_at) <= within]
        ids = {alert.id for alert in self._open.values()} | set(self._begun.values())
        progress = {id: each for id, each in self._progress.items() if id in ids}
        return Deletions(tuple(recent[-_MOST:]), progress)

    def _progress_of(self, alert: Alert) -> Progress:
        fired_at = alert.fired_at or alert.starts_at
        known = self._progress.get(alert.id, Progress(fired_at, fired_at, 0))
        # If the clock goes back, what is to come is not put off by as much.
        return replace(known, seen_at=min(known.seen_at, self._at), told_at=min(known.told_at, self._at))

    def _told(self, alert: Alert) -> None:
        seen_at = self._at if alert.id not in self._progress else self._progress[alert.id].seen_at
        self._progress[alert.id] = Progress(seen_at, self._at, _count(alert))

    def _fingerprint(self, scope: str) -> str:
        per = "" if self._mass is None else self._mass.per
        return stable_id("fpr", self._cluster, _TYPE, per, scope)

    def _begin(self, scope: str, found: list[Deletion], mass: Mass) -> Alert:
        about = self._policy.about(self._cluster)
        details = MassDeletion(
            count=0,
            within_seconds=mass.within.total_seconds(),
            per=mass.per,
            scope=scope,
            first_at=found[0].at,
            last_at=found[0].at,
            deletions=[],
            more=0,
        )
        alert = Alert(
            id=self._begun[scope],
            fingerprint=self._fingerprint(scope),
            type=_TYPE,
            cluster=self._cluster,
            watcher=DELETIONS,
            source="",
            state=AlertState.FIRING,
            severity=self._policy.severity(_TYPE, None),
            subject=Subject(SubjectKind.CLUSTER, self._cluster),
            summary="",
            starts_at=self._at,
            fired_at=self._at,
            labels=about.labels,
            annotations=about.annotations,
            details=details.plain(),
        )
        return _with(alert, found)


def _lost(event: Event) -> int | None:
    lost = event.details.get("lost")
    return None if lost is None else len(lost["tags"]) + int(lost["more"])


def _with(alert: Alert, new: list[Deletion]) -> Alert:
    """Return the alert with more deletions."""
    known = MassDeletion.model_validate(_own(alert.details))
    room = LISTED - len(known.deletions)
    added = [
        Deleted(repository=each.repository, gun=each.gun, event=each.event, at=each.at, tags=each.tags)
        for each in new[:room]
    ]
    details = known.model_copy(
        update={
            "count": known.count + len(new),
            "first_at": min(known.first_at, *(each.at for each in new)),
            "last_at": max(known.last_at, *(each.at for each in new)),
            "deletions": [*known.deletions, *added],
            "more": known.more + len(new) - len(added),
        }
    )
    return replace(alert, summary=_summary(details, alert.cluster or ""), details=details.plain())


def _summary(details: MassDeletion, cluster: str) -> str:
    where = f"cluster {cluster}"
    if details.per == "namespace":
        where = f"namespace {details.scope[:_LONGEST] or 'unknown'} of {where}"
    names = list(dict.fromkeys(each.repository or "one without a name" for each in details.deletions))
    shown = ", ".join(name[:_LONGEST] for name in names[:_NAMED])
    left = len(names) - _NAMED + details.more
    more = f" and {left} more" if left > 0 else ""
    return f"{details.count} deletions of trust data in {where}: {shown}{more}"


def _own(details: Mapping[str, object]) -> dict[str, object]:
    """Return the details without what the relay adds to those of any type."""
    return {name: value for name, value in details.items() if name in MassDeletion.model_fields}


def _cut(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _count(alert: Alert) -> int:
    return int(alert.details["count"])


def _scope(per: str, cluster: str | None, repository: str) -> str:
    return namespace_of(repository) if per == "namespace" else cluster or ""
