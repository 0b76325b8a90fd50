"""What can be asked of a relay, by a command, through the control socket or the API."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from relay.engine.operate import Operator
from relay.engine.rules import Match
from relay.engine.tokens import Tokens
from relay.model.access import Scope, Token
from relay.model.clock import tellable
from relay.model.delivery import DeliveryState
from relay.model.silence import Acknowledgement, Silence

Who = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=1000)]
Time = Annotated[AwareDatetime, AfterValidator(tellable)]


class Order(BaseModel):
    """What somebody asks for; ``by`` is who."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    by: Who


class Replay(Order):
    """Send deliveries once more."""

    deliveries: list[str] = Field(min_length=1)


class ReplayRange(Order):
    """Send once more what was made within a time (``until`` is not included) and was not replayed yet.

    Without a channel: of all of them.
    """

    channel: str | None = None
    state: DeliveryState = DeliveryState.DELIVERED
    since: Time
    until: Time


class OnChannel(Order):
    """Do something to a channel."""

    channel: str
    reason: Text = ""


class MakeSilence(Order):
    """Keep what matches from being sent for a while; with ``intervals`` only within them."""

    match: Match
    starts_at: Time
    ends_at: Time
    comment: Text
    intervals: list[dict[str, Any]] = Field(default_factory=list, max_length=50)


class OnSilence(Order):
    """Do something to a silence."""

    silence: str


class Acknowledge(Order):
    """Take care of an alert, or take note of a one-off event."""

    about: str = Field(description="the id of an alert or event, or how it begins")
    note: Text = ""
    until: Time | None = None
    via: Annotated[str, Field(pattern="^(cli|api|link|page)$")] = "cli"


class OnThread(Order):
    """Do something to an alert or event."""

    about: str


class CreateToken(Order):
    """Let in whoever has the secret of a hash: its SHA-256 in hexadecimal digits."""

    name: str
    scope: Scope
    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    expires_at: Time | None = None


class RevokeToken(Order):
    """Let nobody in any more by a token."""

    token: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of order: how it is written, and how it is carried out, which returns JSON types."""

    model: type[Order]
    do: Callable[[Operator, Any], Awaitable[Any]]


async def _replay(operator: Operator, order: Replay) -> Any:
    return [delivery.id for delivery in await operator.replay(order.deliveries, order.by)]


async def _replay_dead(operator: Operator, order: OnChannel) -> Any:
    return [delivery.id for delivery in await operator.replay_dead(order.channel, order.by)]


async def _replay_range(operator: Operator, order: ReplayRange) -> Any:
    done = await operator.replay_range(order.state, order.since, order.until, order.by, order.channel)
    return {"replayed": done.number, "more": done.more}


async def _enable(operator: Operator, order: OnChannel) -> Any:
    await operator.enable(order.channel, order.by)


async def _disable(operator: Operator, order: OnChannel) -> Any:
    await operator.disable(order.channel, order.by, order.reason)


async def _silence(operator: Operator, order: MakeSilence) -> Any:
    matchers = order.match.model_dump(mode="json", exclude_defaults=True)
    made = await operator.silence(
        matchers, order.starts_at, order.ends_at, order.by, order.comment, order.intervals
    )
    return silence_document(made)


async def _expire(operator: Operator, order: OnSilence) -> Any:
    return silence_document(await operator.expire(order.silence, order.by))


async def _acknowledge(operator: Operator, order: Acknowledge) -> Any:
    made = await operator.acknowledge(order.about, order.by, order.note, order.until, order.via)
    return acknowledgement_document(made)


async def _unacknowledge(operator: Operator, order: OnThread) -> Any:
    return await operator.unacknowledge(order.about, order.by)


async def _create_token(operator: Operator, order: CreateToken) -> Any:
    made = await _tokens(operator).create(order.name, order.scope, order.hash, order.by, order.expires_at)
    return token_document(made)


async def _revoke_token(operator: Operator, order: RevokeToken) -> Any:
    return token_document(await _tokens(operator).revoke(order.token, order.by))


def _tokens(operator: Operator) -> Tokens:
    return Tokens(operator.store, operator.clock, operator.source)


ORDERS: Mapping[str, Kind] = {
    "replay": Kind(Replay, _replay),
    "replay-dead": Kind(OnChannel, _replay_dead),
    "replay-range": Kind(ReplayRange, _replay_range),
    "enable": Kind(OnChannel, _enable),
    "disable": Kind(OnChannel, _disable),
    "silence": Kind(MakeSilence, _silence),
    "expire": Kind(OnSilence, _expire),
    "acknowledge": Kind(Acknowledge, _acknowledge),
    "unacknowledge": Kind(OnThread, _unacknowledge),
    "create-token": Kind(CreateToken, _create_token),
    "revoke-token": Kind(RevokeToken, _revoke_token),
}
"""Every order by its name."""


def silence_document(silence: Silence) -> dict[str, Any]:
    """Return a silence as JSON types."""
    return {
        "id": silence.id,
        "match": dict(silence.matchers),
        "starts_at": _moment(silence.starts_at),
        "ends_at": _moment(silence.ends_at),
        "intervals": [dict(each) for each in silence.intervals],
        "author": silence.author,
        "comment": silence.comment,
        "created_at": _moment(silence.created_at),
    }


def acknowledgement_document(found: Acknowledgement) -> dict[str, Any]:
    """Return an acknowledgement as JSON types."""
    return {
        "about": found.thread,
        "by": found.by,
        "at": _moment(found.at),
        "note": found.note,
        "until": None if found.until is None else _moment(found.until),
        "via": found.via,
    }


def token_document(token: Token) -> dict[str, Any]:
    """Return a token as JSON types. Nothing of its secret is in it."""
    return {
        "id": token.id,
        "name": token.name,
        "scope": str(token.scope),
        "created_at": _moment(token.created_at),
        "created_by": token.created_by,
        "expires_at": None if token.expires_at is None else _moment(token.expires_at),
        "revoked_at": None if token.revoked_at is None else _moment(token.revoked_at),
        "used_at": None if token.used_at is None else _moment(token.used_at),
    }


def _moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
