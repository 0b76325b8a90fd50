"""The life of alerts: pending, firing, resolved; and flapping. Pure; time comes with the report.

Flapping: an alert's *changes* are the moments at which it fired or resolved, over all lives of its
fingerprint. One that fires with too many of them within the window is told as flapping. It then keeps
firing, and tells only a worse severity, until it settles: absent for the whole window, then it resolves and
its history begins anew; or shown for the whole window, then it is told once more, as one that stays. While
it flaps, the condition's vanishing and reappearing are the changes. A look that failed is none: nothing is
known of that time.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from relay.engine.policy import Damping, Policy
from relay.model.alert import Alert, AlertState
from relay.model.event import Status, Subject
from relay.model.ids import stable_id
from relay.model.observation import Condition, Report, Watch
from relay.model.text import storable, storable_tree

_MOST_CHANGES = 1000
"""More changes than this are not remembered: settings ask for far fewer."""

Recent = Mapping[str, tuple[datetime, ...]]
"""The changes of alerts that have lately resolved, by fingerprint."""


@dataclass(frozen=True, slots=True)
class Change:
    """An alert's new state. ``tell`` is the status to be told, None where nobody needs to know."""

    alert: Alert
    tell: Status | None = None


def fingerprint(watch: Watch, condition: Condition) -> str:
    """Return the stable identity of a condition: its cluster, type and identifying labels, no free text."""
    return stable_id("fpr", watch.cluster or "", condition.type, *condition.identity)


def advance(alerts: Mapping[str, Alert], report: Report, policy: Policy, recent: Recent) -> Iterator[Change]:
    """Yield the changes that a report makes to the open alerts of its watch, given by fingerprint.

    ``recent`` are the changes that an alert which begins now has from its earlier lives.
    """
    shown: set[str] = set()
    for condition in report.conditions:
        key = fingerprint(report.watch, condition)
        if key in shown:
            continue
        shown.add(key)
        alert = alerts.get(key) or _begin(key, condition, report, policy, recent.get(key, ()))
        change = _see(alert, condition, report, policy)
        if change.alert != alerts.get(key):
            yield change
    if not report.complete:
        return
    readable = set(report.sources) - {failure.source for failure in report.failures}
    for key, alert in alerts.items():
        if key in shown or alert.type in report.undecided or not _could_be_seen(alert, readable):
            continue
        change = _miss(alert, report.at, policy)
        if change.alert != alert:
            yield change


def elapse(alerts: Iterable[Alert], at: datetime, policy: Policy) -> Iterator[Change]:
    """Yield the changes that time alone makes to alerts of which what was last seen still holds."""
    for alert in alerts:
        change = _shown(alert, at, policy) if alert.absent_since is None else _miss(alert, at, policy)
        if change.alert != alert:
            yield change


def end(alert: Alert, at: datetime, because: str) -> Change:
    """Return the end of an alert for another reason than that its condition ceased.

    Its history ends with it: nobody has seen that it came or went.
    """
    fired = alert.state is AlertState.FIRING
    ended = replace(
        alert, state=AlertState.RESOLVED, ends_at=at, ended_because=because, changes=(), flapping=False
    )
    return Change(ended, Status.RESOLVED if fired else None)


def recent_of(resolved: Iterable[Alert]) -> Recent:
    """Return what resolved alerts leave to their next lives; they are given in the order of their ends."""
    last = {alert.fingerprint: alert.changes for alert in resolved}
    return {key: changes for key, changes in last.items() if changes}


def lately(recent: Recent, at: datetime, policy: Policy) -> Recent:
    """Return those that may still count."""
    return {key: changes for key, changes in recent.items() if at - changes[-1] < policy.memory}


def _could_be_seen(alert: Alert, readable: set[str]) -> bool:
    return alert.source in readable if alert.source else bool(readable)


def _begin(
    key: str, condition: Condition, report: Report, policy: Policy, earlier: tuple[datetime, ...]
) -> Alert:
    about = policy.about(report.watch.cluster)
    return Alert(
        id=stable_id("alr", key, report.at.isoformat()),
        fingerprint=key,
        type=condition.type,
        cluster=report.watch.cluster,
        watcher=report.watch.watcher,
        source=condition.source,
        state=AlertState.PENDING,
        starts_at=report.at,
        looks=0,
        # A life that never fires hands on what it got.
        changes=earlier,
        # The rules count on the cluster's labels: whoever posts an alert cannot change them.
        labels={**storable_tree(condition.labels), **about.labels},
        annotations={**about.annotations, **storable_tree(condition.annotations)},
        **_looks_like(condition, policy),
    )


def _see(alert: Alert, condition: Condition, report: Report, policy: Policy) -> Change:
    severity = alert.severity
    # Counting on while it waits for its time would be a write at every look, for hours.
    counts = alert.state is AlertState.PENDING and alert.looks < condition.looks
    alert = replace(alert, looks=alert.looks + counts, **_looks_like(condition, policy))
    return _shown(alert, report.at, policy, looks=condition.looks, worse=alert.severity > severity)


def _looks_like(condition: Condition, policy: Policy) -> dict[str, Any]:
    return {
        "severity": policy.severity(condition.type, condition.severity),
        "subject": _storable_subject(condition.subject),
        "summary": storable(condition.summary),
        "details": storable_tree(condition.details),
    }


def _shown(alert: Alert, at: datetime, policy: Policy, *, looks: int = 1, worse: bool = False) -> Change:
    damping = policy.damp(alert.type)
    if alert.state is AlertState.PENDING:
        if at - alert.starts_at < damping.hold or alert.looks < looks:
            return Change(alert)
        return Change(_fire(alert, at, damping), Status.FIRING)
    back = alert.absent_since is not None
    alert = replace(alert, absent_since=None)
    if alert.flapping and back:
        alert = _changed(alert, at, damping.window)
    elif alert.flapping and not _within(alert.changes, at, damping.window):
        settled = replace(alert, flapping=False, changes=(), flap_within=damping.window, settled_at=at)
        return Change(settled, Status.FIRING)
    return Change(alert, Status.FIRING if worse else None)


def _fire(alert: Alert, at: datetime, damping: Damping) -> Alert:
    alert = replace(_changed(alert, at, damping.window), state=AlertState.FIRING, fired_at=at)
    if damping.flap is None or len(alert.changes) <= damping.flap.changes:
        return alert
    return replace(alert, flapping=True, flap_within=damping.window)


def _miss(alert: Alert, at: datetime, policy: Policy) -> Change:
    if alert.state is AlertState.PENDING:
        return Change(replace(alert, state=AlertState.RESOLVED, ends_at=at))
    damping = policy.damp(alert.type)
    since = alert.absent_since or at
    if alert.flapping:
        keep = max(damping.keep, damping.window)
        left = _changed(alert, at, damping.window) if alert.absent_since is None else alert
        over = replace(alert, changes=(), flapping=False)
    else:
        keep, left = damping.keep, alert
        over = _changed(alert, since, damping.window)
    if at - since < keep:
        return Change(replace(left, absent_since=since))
    return Change(
        replace(over, state=AlertState.RESOLVED, absent_since=since, ends_at=since), Status.RESOLVED
    )


def _changed(alert: Alert, at: datetime, window: timedelta) -> Alert:
    return replace(alert, changes=(*_within(alert.changes, at, window), at)[-_MOST_CHANGES:])


def _within(changes: tuple[datetime, ...], at: datetime, window: timedelta) -> tuple[datetime, ...]:
    # Not only the past: a clock that went back must not make a change count for longer.
    return tuple(each for each in changes if abs(at - each) < window)


def _storable_subject(subject: Subject) -> Subject:
    return Subject(
        subject.kind,
        storable(subject.name),
        None if subject.gun is None else storable(subject.gun),
        tuple(storable(replica) for replica in subject.replicas),
    )


def of_watch(alerts: Iterable[Alert], watch: Watch) -> dict[str, Alert]:
    """Return the alerts of a watch by fingerprint."""
    return {
        alert.fingerprint: alert
        for alert in alerts
        if alert.cluster == watch.cluster and alert.watcher == watch.watcher
    }
