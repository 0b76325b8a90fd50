"""What an alert or event is, for a page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from relay.model.alert import Alert
from relay.model.event import Event
from relay.model.severity import Severity
from relay.model.silence import Acknowledgement
from relay.store import Store

_LONGEST_URL: Final = 2000


@dataclass(frozen=True, slots=True)
class About:
    """What is known of an alert or one-off event.

    ``lasting`` tells alerts from one-off events; ``ended_at`` is None while an alert is open, and for events.
    ``acknowledgement`` is the one that holds now.
    """

    thread: str
    type: str
    cluster: str | None
    severity: Severity
    subject: str
    summary: str
    since: datetime
    lasting: bool
    ended_at: datetime | None
    runbook: str | None
    acknowledgement: Acknowledgement | None


async def about(store: Store, thread: str, now: datetime) -> About | None:
    """Return what is known of an alert or event, None if nothing is. Raises StoreError."""
    found = await _find(store, thread)
    if found is None:
        return None
    lasting = isinstance(found, Alert)
    acknowledgement = await store.acknowledgement(found.id)
    if acknowledgement is not None and not acknowledgement.holds(now):
        acknowledgement = None
    return About(
        thread=found.id,
        type=found.type,
        cluster=found.cluster,
        severity=found.severity,
        subject=found.subject.name,
        summary=found.summary,
        since=found.starts_at if isinstance(found, Alert) else found.happened_at,
        lasting=lasting,
        ended_at=found.ends_at if lasting else None,
        runbook=web_address(found.annotations.get("runbook_url")),
        acknowledgement=acknowledgement,
    )


async def _find(store: Store, thread: str) -> Alert | Event | None:
    alerts = [each for each in await store.find_alerts(thread) if each.id == thread]
    if alerts:
        return alerts[0]
    event = (await store.events([thread])).get(thread)
    return await _find(store, event.alert) if event is not None and event.alert is not None else event


def web_address(text: str | None) -> str | None:
    """Return an address that a page may link to: a text that is an http or https URL, else None."""
    if text is None or len(text) > _LONGEST_URL or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme in ("http", "https") and parts.hostname else None
