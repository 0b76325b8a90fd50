"""What keeps something from being sent now, and when to look again. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from relay.engine.instead import listed
from relay.engine.scene import Scene
from relay.model.alert import Alert
from relay.model.catalogue import stands_for
from relay.model.delivery import Delivery, DeliveryState, Reason
from relay.model.event import Event, Status
from relay.model.silence import Silence

RECHECK = timedelta(hours=1)
"""After so long what is held back is looked at again, whatever else happens."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why something is not sent now, and when to look again; None: never."""

    state: DeliveryState
    until: datetime | None
    note: str


def held_back(row: Delivery, event: Event, scene: Scene, now: datetime) -> Hold | None:
    """Return what keeps an event of a delivery from being sent at a time, whatever its receiver says."""
    lasting = event.alert is not None
    silence = silence_of(event, scene, now)
    if silence is not None:
        note = f"{silence.id}: {silence.comment}"
        return Hold(
            DeliveryState.SILENCED, scene.silences.until(silence, now, RECHECK) if lasting else None, note
        )
    firing = event.status is Status.FIRING
    alert = scene.alerts.get(event.alert or "")
    if firing and alert is not None and alert.inhibited:
        return Hold(DeliveryState.INHIBITED, now + RECHECK, "a larger alert covers it")
    muted = scene.muted_until(row.rule, now, RECHECK)
    if muted is not None:
        return Hold(DeliveryState.MUTED, muted, "outside of its rule's times")
    if row.reason in (Reason.REPEAT, Reason.ESCALATION):
        acknowledged = scene.acknowledgement(event.thread, now)
        if acknowledged is not None:
            note = f"acknowledged by {acknowledged.by}"
            if acknowledged.until is None and not lasting:
                return Hold(DeliveryState.SUPERSEDED, None, note)
            return Hold(DeliveryState.ACKNOWLEDGED, acknowledged.until or now + RECHECK, note)
    return None


def silence_of(about: Event | Alert, scene: Scene, now: datetime) -> Silence | None:
    """Return the silence that keeps something from being sent at a time, None if none does.

    What stands for one-off events is silenced too if each of them is, and all are known: by the silence of
    those that ends first.
    """
    own = scene.silences.holding(about, now)
    if own is not None or not scene.silences.all or not stands_for(about.type) or about.details.get("more"):
        return own
    first: Silence | None = None
    for each in listed(about):
        found = scene.silences.holding(each, now)
        if found is None:
            return None
        if first is None or found.ends_at < first.ends_at:
            first = found
    return first


def put_off(row: Delivery, hold: Hold, now: datetime) -> Delivery:
    """Return a delivery that is held back."""
    if hold.until is None:
        return finish(row, hold.state, hold.note, now)
    # A rule's times are not the receiver's doing, nor the user's of this alert: it has waited since then.
    since = row.waiting_since if hold.state is DeliveryState.MUTED else hold.until
    return replace(row, state=hold.state, due_at=hold.until, ready_at=since, note=hold.note)


def finish(
    row: Delivery, state: DeliveryState, note: str | None, now: datetime, merged_into: str | None = None
) -> Delivery:
    """Return a delivery of which nothing more will be sent."""
    return replace(row, state=state, finished_at=now, note=note or None, merged_into=merged_into)
