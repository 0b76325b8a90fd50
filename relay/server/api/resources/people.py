"""Silences and acknowledgements."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, Field

from relay.engine.orders import Text, Who, silence_document
from relay.engine.rules import Match
from relay.engine.scene import Standing, standing
from relay.model.access import Scope
from relay.server.api.documents import AcknowledgementDocument
from relay.server.api.operation import Call, Document, Nothing, Operation, Params, Time
from relay.server.api.orders import carry_out

_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

TAG: Final = "silences and acknowledgements"
By = Annotated[Who | None, Field(description="on whose behalf; who the token belongs to is written down too")]


class SilenceDocument(Document):
    """What matches it is not sent for a while."""

    id: str
    match: dict[str, Any] = Field(description="as in a rule")
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    intervals: list[dict[str, Any]] = Field(description="if there are any, it holds only within them")
    author: str
    comment: str
    created_at: AwareDatetime


class StandingSilence(SilenceDocument):
    """A silence, and whether it holds now."""

    standing: Standing


class Silences(Document):
    """All silences that are wanted, the first to end first."""

    items: list[StandingSilence]


class Acknowledgements(Document):
    """All acknowledgements that hold, the newest first."""

    items: list[AcknowledgementDocument]


class Which(Params):
    """Which silences are wanted."""

    ended: bool = Field(False, description="those too that have ended and are still kept")


class NewSilence(Params):
    """A silence to be made."""

    by: By = None
    match: Match = Field(description="as in a rule")
    starts_at: Time
    ends_at: Time
    comment: Text
    intervals: list[dict[str, Any]] = Field(default_factory=list, max_length=50)


class ByWhom(Params):
    """Who wants it."""

    by: By = None


class NewAcknowledgement(Params):
    """An acknowledgement to be made."""

    by: By = None
    about: str = Field(description="the id of an alert or event, or how it begins")
    note: Text = ""
    until: Time | None = Field(None, description="null: until it resolves")


class About(Params):
    """An alert or event."""

    by: By = None
    about: str = Field(description="the id of an alert or event, or how it begins")


class AboutDocument(Document):
    """An alert or event."""

    about: str


async def list_silences(call: Call[Which, None]) -> Silences:
    """List the silences that hold or will."""
    operator = call.service.operator
    now = operator.clock.now()
    found = await operator.store.silences(_EVER if call.query.ended else now)
    kept = [each for each in found if call.query.ended or each.ends_at > now]
    return Silences(
        items=[StandingSilence(**silence_document(each), standing=standing(each, now)) for each in kept]
    )


async def make_silence(call: Call[Nothing, NewSilence]) -> Any:
    """Keep what matches from being sent for a while."""
    return await carry_out(call, "silence")


async def expire_silence(call: Call[Nothing, ByWhom]) -> Any:
    """End a silence now.

    What it holds back and still counts is sent.
    """
    return await carry_out(call, "expire", silence=call.path["silence"])


async def list_acknowledgements(call: Call[Nothing, None]) -> Acknowledgements:
    """List the acknowledgements that hold."""
    operator = call.service.operator
    now = operator.clock.now()
    found = [each for each in await operator.store.acknowledgements() if each.holds(now)]
    return Acknowledgements(items=[AcknowledgementDocument.model_validate(each) for each in found])


async def acknowledge(call: Call[Nothing, NewAcknowledgement]) -> Any:
    """Take care of an alert, or take note of a one-off event.

    Nothing of it is repeated or escalated until then.
    """
    return await carry_out(call, "acknowledge", via="api")


async def unacknowledge(call: Call[Nothing, About]) -> AboutDocument:
    """Take an acknowledgement back.

    Repeats and escalations go on.
    """
    return AboutDocument(about=await carry_out(call, "unacknowledge"))


_ID: Final = {"silence": "the id of a silence, or how it begins"}
_GONE: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)

OPERATIONS: Final = (
    Operation("GET", "/silences", list_silences, Silences, Scope.READ, TAG, query=Which),
    Operation(
        "POST", "/silences", make_silence, SilenceDocument, Scope.OPERATE, TAG,
        body=NewSilence, status=HTTPStatus.CREATED,
    ),
    Operation(
        "POST", "/silences/{silence}/expire", expire_silence, SilenceDocument, Scope.OPERATE, TAG,
        body=ByWhom, refusals=_GONE, path_texts=_ID,
    ),
    Operation("GET", "/acknowledgements", list_acknowledgements, Acknowledgements, Scope.READ, TAG),
    Operation(
        "POST", "/acknowledge", acknowledge, AcknowledgementDocument, Scope.OPERATE, TAG,
        body=NewAcknowledgement, refusals=_GONE,
    ),
    Operation(
        "POST", "/unacknowledge", unacknowledge, AboutDocument, Scope.OPERATE, TAG, body=About, refusals=_GONE
    ),
)  # fmt: skip
"""What can be done about alerts and with silences."""
