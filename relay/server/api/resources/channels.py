"""Channels: how they stand, and what can be done to them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from pydantic import Field

from relay.channels import Channel
from relay.config import format_duration
from relay.engine.orders import Text
from relay.engine.send_test import TEST, send_test
from relay.model.access import Scope
from relay.model.catalogue import CATALOGUE
from relay.model.delivery import ChannelHealth, DeliveryState, Outcome
from relay.model.errors import NotFoundError
from relay.model.near import near
from relay.model.samples import sample
from relay.server.api.documents import ChannelDocument, TargetDocument
from relay.server.api.operation import Call, Document, Nothing, Operation, Params
from relay.server.api.orders import by, carry_out
from relay.server.api.resources.people import By, ByWhom
from relay.server.refused import RefusedError
from relay.server.service import Service
from relay.store import Count, Deed

TAG: Final = "channels"
_COUNTED: Final = (DeliveryState.PENDING, DeliveryState.HELD, DeliveryState.DEAD)


class Channels(Document):
    """All channels, the configured ones first."""

    items: list[ChannelDocument]


class Disable(Params):
    """Why nothing is to be sent to a channel."""

    by: By = None
    reason: Text = ""


class TestMessage(Params):
    """What is to be sent as a test."""

    by: By = None
    type: str = Field(TEST, description="the type of event of which a sample is sent")


class TestResult(Document):
    """How a test message went. It is not kept."""

    channel: str
    kind: str
    delivery: str = Field(description="the id that the receiver saw")
    outcome: Outcome
    arrived: bool = Field(description="every target took it")
    status: int | None
    seconds: float
    error: str | None
    answer: str
    template_error: str | None
    targets: list[TargetDocument]


class Replayed(Document):
    """What is sent once more."""

    deliveries: list[str] = Field(description="the ids of the new deliveries")


async def list_channels(call: Call[Nothing, None]) -> Channels:
    """List the channels and how they stand."""
    service = call.service
    configured = {each.name: each for each in service.settings.destinations}
    healths = await service.operator.store.healths()
    names = [*configured, *sorted(set(healths) - set(configured))]
    return Channels(items=[await _document(service, name, configured, healths) for name in names])


async def show_channel(call: Call[Nothing, Any]) -> ChannelDocument:
    """Show one channel."""
    service, name = call.service, call.path["channel"]
    configured = {each.name: each for each in service.settings.destinations}
    healths = await service.operator.store.healths()
    if name not in configured and name not in healths:
        raise unknown(service, name)
    return await _document(service, name, configured, healths)


async def _document(
    service: Service, name: str, configured: Mapping[str, Channel], healths: Mapping[str, ChannelHealth]
) -> ChannelDocument:
    health = healths.get(name, ChannelHealth(name))
    channel = configured.get(name)
    counts = await service.operator.store.views.count_states(name, _COUNTED)
    return ChannelDocument(
        name=name,
        kind=None if channel is None else channel.kind,
        state=health.state,
        since=health.since,
        reason=health.reason,
        by=health.by,
        failures=health.failures,
        probe_at=health.probe_at,
        waiting=_number(counts, DeliveryState.PENDING) + _number(counts, DeliveryState.HELD),
        dead=_number(counts, DeliveryState.DEAD),
        limits={} if channel is None else limits(channel),
    )


def _number(counts: Mapping[str, Count], state: DeliveryState) -> int:
    return counts[state].number if state in counts else 0


def limits(channel: Channel) -> dict[str, Any]:
    """Return what a channel may be sent, and how often it is tried."""
    rate = channel.rate
    return {
        "rate": None if rate is None else str(rate),
        "concurrency": channel.concurrency,
        "timeout": format_duration(channel.timeout),
        "digest_after": None if channel.digest_after is None else format_duration(channel.digest_after),
        "waits": [format_duration(each) for each in channel.retry.schedule],
    }


def unknown(service: Service, name: str) -> NotFoundError:
    """Return what to say of a channel that there is not."""
    known = ", ".join(service.settings.channel_names) or "none"
    return NotFoundError(f"there is no channel {name}; configured: {known}")


async def test_channel(call: Call[Nothing, TestMessage]) -> TestResult:
    """Send a test message to a channel, past rules and outbox.

    It waits for the answer. A disabled channel is tried too.
    """
    service, name = call.service, call.path["channel"]
    sender = next((each for each in service.running().senders if each.channel.name == name), None)
    if sender is None:
        raise unknown(service, name)
    try:
        event = sample(call.body.type)
    except KeyError:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"There is no event type {call.body.type}: {near(call.body.type, CATALOGUE)}.",
        ) from None
    operator, author = service.operator, by(call.who, call.body.by)
    await operator.store.record(Deed(operator.clock.now(), author, "test", name, call.body.type))
    trial = await send_test(sender, event, author, operator.clock, operator.source)
    result = trial.tried.result
    return TestResult(
        channel=name,
        kind=trial.kind,
        delivery=trial.delivery,
        outcome=result.outcome,
        arrived=trial.arrived,
        status=result.sent.status,
        seconds=round(trial.tried.seconds, 3),
        error=result.error,
        answer=result.sent.answer,
        template_error=None if trial.tried.broken is None else str(trial.tried.broken),
        targets=[TargetDocument.model_validate(each) for each in result.sent.targets],
    )


async def disable_channel(call: Call[Nothing, Disable]) -> ChannelDocument:
    """Send nothing more to a channel until it is enabled.

    What waits for it is kept.
    """
    return await _turn(call, "disable")


async def enable_channel(call: Call[Nothing, ByWhom]) -> ChannelDocument:
    """Send to a channel again, at once."""
    return await _turn(call, "enable")


async def _turn(call: Call[Nothing, Any], order: str) -> ChannelDocument:
    found = await show_channel(call)
    await carry_out(call, order, channel=found.name)
    return await show_channel(call)


async def replay_dead(call: Call[Nothing, ByWhom]) -> Replayed:
    """Send everything once more that a channel refused for good and that was not replayed yet."""
    name = (await show_channel(call)).name
    return Replayed(deliveries=await carry_out(call, "replay-dead", channel=name))


_NAME: Final = {"channel": "the channel's name"}
_GONE: Final = (HTTPStatus.NOT_FOUND,)


def _post(path: str, do: Any, answer: Any, body: Any) -> Operation:
    return Operation("POST", f"/channels/{{channel}}{path}", do, answer, Scope.OPERATE, TAG,
                     body=body, refusals=_GONE, path_texts=_NAME)  # fmt: skip


OPERATIONS: Final = (
    Operation("GET", "/channels", list_channels, Channels, Scope.READ, TAG),
    Operation(
        "GET", "/channels/{channel}", show_channel, ChannelDocument, Scope.READ, TAG,
        refusals=_GONE, path_texts=_NAME,
    ),
    _post("/test", test_channel, TestResult, TestMessage),
    _post("/disable", disable_channel, ChannelDocument, Disable),
    _post("/enable", enable_channel, ChannelDocument, ByWhom),
    _post("/replay-dead", replay_dead, Replayed, ByWhom),
)  # fmt: skip
"""What can be asked of channels, and done to them."""
