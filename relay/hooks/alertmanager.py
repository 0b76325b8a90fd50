"""Alertmanager's webhooks (format 4): a group of alerts, each of which fires or is resolved.

A post holds the alerts of one group that changed lately, so an alert that it does not hold has not ended:
each alert is a source of its own, and a post reads the sources that it names.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from relay.hooks.hook import Hook
from relay.hooks.strict import UnreadableError, address, moment, text
from relay.hooks.trouble import trouble
from relay.model.event import Subject, SubjectKind
from relay.model.hook_details import AlertmanagerAlert
from relay.model.hook_types import ALERT
from relay.model.ids import stable_id
from relay.model.observation import Condition, Fact, Report
from relay.model.severity import Severity

MOST: Final = 2000
"""The most alerts that are taken of one post: what it makes is decided and committed at once."""
_RUNBOOK: Final = "runbook_url"
_PAIRS: Final = 64
"""The most labels, or annotations, that are kept of an alert."""
_NAME, _VALUE = 200, 2000
_SUMMARY: Final = 300
_FINGERPRINT: Final = re.compile(r"[0-9A-Za-z]{1,64}")
_ABOUT: Final = ("instance", "pod", "node", "host", "service", "job", "alertname")
"""The labels that may say what an alert is about, the most telling first."""

SEVERITIES: Final[Mapping[str, Severity]] = {
    **dict.fromkeys(("critical", "crit", "page", "fatal", "emergency", "disaster"), Severity.CRITICAL),
    **dict.fromkeys(("error", "err", "high", "major"), Severity.ERROR),
    **dict.fromkeys(("warning", "warn", "medium", "minor", "average"), Severity.WARNING),
    **dict.fromkeys(("info", "information", "notice", "low", "debug", "none"), Severity.INFO),
}
"""What usual values of the label ``severity`` mean; any other leaves the type's own."""


def report(hook: Hook, document: dict[str, Any], at: datetime) -> Report:
    """Return which of the alerts of a post fire and which have ended. Raises UnreadableError.

    One alert that cannot be understood is told, and does not keep the others from being taken. Of more
    than ``MOST`` alerts the first ones are taken, and that the others were not is told.
    """
    alerts = document.get("alerts")
    if not isinstance(alerts, list):
        raise UnreadableError('it has no list of "alerts"')
    sources: list[str] = []
    firing: list[Condition] = []
    facts: list[Fact] = []
    if len(alerts) > MOST:
        reason = (
            f"it has {len(alerts)} alerts, of which the first {MOST} are taken: let Alertmanager make "
            "smaller groups, with more labels in group_by of its route"
        )
        facts.append(trouble(hook, reason, "", at))
    for each in alerts[:MOST]:
        try:
            condition, fires = _alert(hook, each, document)
        except UnreadableError as error:
            facts.append(trouble(hook, str(error), json.dumps(each, ensure_ascii=False), at))
            continue
        sources.append(condition.source)
        if fires:
            firing.append(condition)
    left = document.get("truncatedAlerts")
    if isinstance(left, int) and left > 0:
        reason = f"Alertmanager left {left} alerts out of it: set max_alerts of its webhook to 0"
        facts.append(trouble(hook, reason, "", at))
    # The first tells for all of them: they are one event.
    return Report(hook.watch, at, tuple(sources), tuple(firing), tuple(facts[:1]), idle=True)


def _alert(hook: Hook, raw: object, document: Mapping[str, Any]) -> tuple[Condition, bool]:
    if not isinstance(raw, dict):
        raise UnreadableError("an alert in it is no object")
    status = raw.get("status")
    if status not in ("firing", "resolved"):
        raise UnreadableError('an alert in it has no "status" of firing or resolved')
    labels, notes = _pairs(raw.get("labels")), _pairs(raw.get("annotations", {}))
    if labels is None or notes is None:
        raise UnreadableError("labels and annotations of an alert in it must be objects of texts")
    fingerprint = _fingerprint(raw)
    name = labels.get("alertname", "")
    about = next((labels[label] for label in _ABOUT if labels.get(label)), fingerprint)
    details = AlertmanagerAlert(
        hook=hook.name,
        name=name,
        fingerprint=fingerprint,
        labels=labels,
        notes=notes,
        description=notes.get("description"),
        began_at=moment(raw.get("startsAt")),
        generator_url=address(raw.get("generatorURL")),
        alertmanager_url=address(document.get("externalURL")),
        receiver=text(document.get("receiver")) or "",
    )
    condition = Condition(
        type=ALERT,
        identity=(hook.name, fingerprint),
        subject=Subject(SubjectKind.INSTANCE, about),
        summary=_summary(name, about, notes),
        details=details.plain(),
        severity=SEVERITIES.get(labels.get("severity", "").lower()),
        source=fingerprint,
        labels=labels,
        annotations={key: note for key, note in notes.items() if key != _RUNBOOK or address(note)},
    )
    return condition, status == "firing"


def _pairs(given: object) -> dict[str, str] | None:
    """Return labels or annotations, clean and bounded; None for what is none."""
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        return None
    some = list(given.items())[:_PAIRS]
    return {text(name, _NAME) or "": text(value, _VALUE) or "" for name, value in some}


def _fingerprint(raw: Mapping[str, Any]) -> str:
    given = raw.get("fingerprint")
    if isinstance(given, str) and _FINGERPRINT.fullmatch(given):
        return given
    # Before 0.19, Alertmanager gives none. It is that of the labels, and so is this.
    return stable_id("lbl", json.dumps(raw["labels"], sort_keys=True))


def _summary(name: str, about: str, notes: Mapping[str, str]) -> str:
    said = notes.get("summary") or notes.get("message") or notes.get("description") or ""
    if not said:
        said = name if about == name else f"{name} on {about}".removeprefix(" on ")
    elif name and name.lower() not in said.lower():
        said = f"{name}: {said}"
    return text(said, _SUMMARY) or "An alert without a name"
