"""Deliveries: what is on its way, how each attempt went, and sending once more."""

from http import HTTPStatus
from typing import Any, Final

from pydantic import Field

from relay.model.access import Scope
from relay.model.delivery import DeliveryState
from relay.model.errors import NotFoundError
from relay.server.api.documents import AttemptDocument, DeliveryDocument, EventDocument
from relay.server.api.operation import CUT, Call, Document, Nothing, Operation, Paged, Params, Time
from relay.server.api.orders import carry_out
from relay.server.api.paging import cursor, seq_of
from relay.server.api.resources.channels import Replayed
from relay.server.api.resources.people import By, ByWhom
from relay.store import DeliveryQuery

TAG: Final = "deliveries"


class Deliveries(Paged):
    """Which deliveries are wanted."""

    channel: str | None = Field(None, max_length=200, description="the name of a channel")
    state: DeliveryState | None = Field(None, description="`pending`, `delivered`, `dead`, …")
    rule: str | None = Field(None, max_length=200, description="the name of a rule")
    event: str | None = Field(None, max_length=100, description="the id of an event that they tell")
    alert: str | None = Field(None, max_length=100, description="the id of an alert that they tell of")
    replay_of: str | None = Field(None, max_length=100, description="the id of the delivery that they repeat")
    since: Time | None = Field(None, description="made at or after this time")
    until: Time | None = Field(None, description="made before this time")


class DeliveryPage(Document):
    """A page of deliveries, the newest first."""

    items: list[DeliveryDocument]
    next: str | None
    cut: bool = Field(description=CUT)


class DeliveryInFull(DeliveryDocument):
    """A delivery with every attempt, what it tells, and its relations."""

    told: list[EventDocument] = Field(description="the events that it tells, as far as they are kept")
    tries: list[AttemptDocument]
    replays: list[str] = Field(description="the deliveries that repeat it")
    merged: list[str] = Field(description="the deliveries that are told in it")


class Replay(Params):
    """Which deliveries are to be sent once more."""

    by: By = None
    deliveries: list[str] = Field(min_length=1, max_length=1000, description="ids, or how they begin")


class ReplayRange(Params):
    """Which deliveries are to be sent once more: those that were made in a time."""

    by: By = None
    since: Time
    until: Time
    channel: str | None = None
    state: DeliveryState = Field(
        DeliveryState.DELIVERED, description="only those that are in this state: `delivered`, or `dead`, …"
    )


class ReplayedRange(Document):
    """How much is sent once more."""

    replayed: int
    more: bool = Field(description="there was more than is replayed at a time: send it again")


async def list_deliveries(call: Call[Deliveries, None]) -> DeliveryPage:
    """List deliveries, the newest first."""
    said = call.query.model_dump(exclude={"cursor", "state"})
    state, store = call.query.state, call.service.operator.store
    page = await store.views.deliveries(
        DeliveryQuery(**said, states=None if state is None else (state,), before=seq_of(call.query.cursor))
    )
    told = await store.views.told({id for each in page.rows for id in each.events[-1:]})
    items = [DeliveryDocument.of(each, told) for each in page.rows]
    return DeliveryPage(items=items, next=cursor(page.next), cut=page.cut)


async def show_delivery(call: Call[Nothing, None]) -> DeliveryInFull:
    """Show one delivery with every attempt and the body as it was sent."""
    operator = call.service.operator
    id = (await operator.find(call.path["delivery"])).id
    found = await operator.store.views.delivery(id)
    if found is None:
        raise NotFoundError(f"there is no delivery {id}: it may be no longer kept")
    told = {each.id: each for each in found.events}
    return DeliveryInFull(
        **dict(DeliveryDocument.of(found.delivery, told)),
        told=[EventDocument.model_validate(each) for each in found.events],
        tries=AttemptDocument.all(found.attempts),
        replays=[each.id for each in found.replays],
        merged=[each.id for each in found.merged],
    )


async def replay_deliveries(call: Call[Nothing, Replay]) -> Replayed:
    """Send deliveries once more, under new ids."""
    return Replayed(deliveries=await carry_out(call, "replay"))


async def replay_delivery(call: Call[Nothing, ByWhom]) -> Replayed:
    """Send one delivery once more, under a new id."""
    return Replayed(deliveries=await carry_out(call, "replay", deliveries=[call.path["delivery"]]))


async def replay_range(call: Call[Nothing, ReplayRange]) -> ReplayedRange:
    """Send once more what was made in a time, of one channel or of all.

    What was replayed already is left out.
    """
    return ReplayedRange(**await carry_out(call, "replay-range"))


_ID: Final = {"delivery": "the delivery's id, or how it begins"}
_GONE: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


def _post(path: str, do: Any, answer: Any, body: Any) -> Operation:
    paths = _ID if "{" in path else {}
    return Operation("POST", path, do, answer, Scope.OPERATE, TAG,
                     body=body, refusals=_GONE, path_texts=paths)  # fmt: skip


OPERATIONS: Final = (
    Operation("GET", "/deliveries", list_deliveries, DeliveryPage, Scope.READ, TAG, query=Deliveries),
    Operation(
        "GET", "/deliveries/{delivery}", show_delivery, DeliveryInFull, Scope.READ, TAG,
        refusals=_GONE, path_texts=_ID,
    ),
    _post("/replay", replay_deliveries, Replayed, Replay),
    _post("/replay-range", replay_range, ReplayedRange, ReplayRange),
    _post("/deliveries/{delivery}/replay", replay_delivery, Replayed, ByWhom),
)  # fmt: skip
"""What can be asked of deliveries, and done to them."""
