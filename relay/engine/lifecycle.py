"""The life of alerts: pending, firing, resolved. Pure; time comes with the report."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from relay.engine.policy import Policy
from relay.model.alert import Alert, AlertState
from relay.model.event import Status, Subject
from relay.model.ids import stable_id
from relay.model.observation import Condition, Report, Watch
from relay.model.text import storable, storable_tree


@dataclass(frozen=True, slots=True)
class Change:
    """An alert's new state. ``tell`` is the status to be told, None where nobody needs to know."""

    alert: Alert
    tell: Status | None = None


def fingerprint(watch: Watch, condition: Condition) -> str:
    """Return the stable identity of a condition: its cluster, type and identifying labels, no free text."""
    return stable_id("fpr", watch.cluster or "", condition.type, *condition.identity)


def advance(alerts: Mapping[str, Alert], report: Report, policy: Policy) -> Iterator[Change]:
    """Yield the changes that a report makes to the open alerts of its watch, given by fingerprint."""
    shown: set[str] = set()
    for condition in report.conditions:
        key = fingerprint(report.watch, condition)
        if key in shown:
            continue
        shown.add(key)
        change = _see(alerts.get(key), key, condition, report, policy)
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


def end(alert: Alert, at: datetime, because: str) -> Change:
    """Return the end of an alert for another reason than that its condition ceased."""
    fired = alert.state is AlertState.FIRING
    ended = replace(alert, state=AlertState.RESOLVED, ends_at=at, ended_because=because)
    return Change(ended, Status.RESOLVED if fired else None)


def _could_be_seen(alert: Alert, readable: set[str]) -> bool:
    return alert.source in readable if alert.source else bool(readable)


def _see(alert: Alert | None, key: str, condition: Condition, report: Report, policy: Policy) -> Change:
    severity = policy.severity(condition.type, condition.severity)
    fresh: dict[str, Any] = {
        "severity": severity,
        "subject": _storable_subject(condition.subject),
        "summary": storable(condition.summary),
        "details": storable_tree(condition.details),
        "absent_since": None,
    }
    if alert is None:
        about = policy.about(report.watch.cluster)
        alert = Alert(
            id=stable_id("alr", key, report.at.isoformat()),
            fingerprint=key,
            type=condition.type,
            cluster=report.watch.cluster,
            watcher=report.watch.watcher,
            source=condition.source,
            state=AlertState.PENDING,
            starts_at=report.at,
            labels=about.labels,
            annotations=about.annotations,
            **fresh,
        )
    else:
        pending = alert.state is AlertState.PENDING
        worse = severity > alert.severity
        # Counting on while it waits for its time would be a write at every look, for hours.
        counts = pending and alert.looks < condition.looks
        alert = replace(alert, looks=alert.looks + counts, **fresh)
        if not pending:
            return Change(alert, Status.FIRING if worse else None)
    held = report.at - alert.starts_at >= policy.damp(alert.type).hold
    if held and alert.looks >= condition.looks:
        return Change(replace(alert, state=AlertState.FIRING, fired_at=report.at), Status.FIRING)
    return Change(alert)


def _miss(alert: Alert, at: datetime, policy: Policy) -> Change:
    if alert.state is AlertState.PENDING:
        return Change(replace(alert, state=AlertState.RESOLVED, ends_at=at))
    since = alert.absent_since or at
    if at - since < policy.damp(alert.type).keep:
        return Change(replace(alert, absent_since=since))
    return Change(
        replace(alert, state=AlertState.RESOLVED, absent_since=since, ends_at=since), Status.RESOLVED
    )


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
