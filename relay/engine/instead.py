"""Alerts that are told in place of one-off events: where they go, what they list, what is left of the events.

Such an alert is treated like the facts that it lists (see EventType.stands_for). Pure.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from relay.engine.routing import Route
from relay.model.alert import Alert, Told
from relay.model.catalogue import stands_for
from relay.model.delivery import Delivery, DeliveryState, Reason
from relay.model.event import Event, Status, Subject, SubjectKind


def listed(about: Event | Alert) -> list[Event]:
    """Return the one-off events that an event or alert tells in their place, as far as it lists them.

    They have its severity, labels and annotations, and no details: they are for matching.
    """
    at = about.happened_at if isinstance(about, Event) else about.starts_at
    return [
        Event(
            id=str(each.get("event")),
            type=stands_for(about.type) or about.type,
            status=Status.EVENT,
            cluster=about.cluster,
            severity=about.severity,
            subject=Subject(SubjectKind.REPOSITORY, str(each.get("repository") or ""), gun=each.get("gun")),
            summary="",
            happened_at=at,
            seen_at=at,
            labels=about.labels,
            annotations=about.annotations,
        )
        for each in about.details.get("deletions") or ()
    ]


def fitting(about: Event, room: int) -> Event:
    """Return an event that lists only as many deletions as fit into so many bytes of JSON."""
    found = about.details.get("deletions") or []
    kept = 0
    for each in found:
        room -= len(json.dumps(each).encode()) + 2
        if room < 0:
            break
        kept += 1
    more = int(about.details.get("more") or 0) + len(found) - kept
    return replace(about, details={**about.details, "deletions": found[:kept], "more": more})


def covered(delivery: Delivery, alert: str, at: datetime) -> Delivery:
    """Return a delivery of a one-off event as what is left of it when an alert tells it: for replays."""
    if delivery.state is DeliveryState.HELD:
        return delivery
    note = f"{alert} lists it with others"
    return replace(delivery, state=DeliveryState.INHIBITED, finished_at=at, note=note)


def ways(own: Iterable[Route], told: Iterable[Told], borrowed: Iterable[Route]) -> list[Route]:
    """Return where an alert goes that stands for one-off events: where the rules send its type, where it was
    told before, and where the events would have gone (``borrowed``), by the same rules.

    Like those events it is not delayed. It is in no group: it is one message about many itself, and a line in
    another one would not list them. Its end always goes where it went: that lists what came last.
    """
    found: dict[str, Route] = {}
    later: dict[tuple[str, str, int], Route] = {}
    for route in own:
        _add(replace(route, group=None, on_resolve=True), found, later)
    for each in told:
        if not each.escalated:
            found.setdefault(each.channel, Route(each.rule, each.channel))
    for route in borrowed:
        # A template that a rule names was written for the events.
        _add(replace(route, group=None, on_resolve=True, template=None), found, later)
    return [*found.values(), *later.values()]


def _add(route: Route, found: dict[str, Route], later: dict[tuple[str, str, int], Route]) -> None:
    if route.reason is Reason.ESCALATION:
        later.setdefault((route.rule, route.channel, route.step), route)
    else:
        found.setdefault(route.channel, replace(route, after=timedelta(0)))
