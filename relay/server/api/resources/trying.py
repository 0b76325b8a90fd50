"""Trying: how a message would look, and what would become of an event. Nothing is kept, nobody is told."""

import re
from http import HTTPStatus
from typing import Annotated, Any, Final, Self

from pydantic import Field, StringConstraints, model_validator

from relay.engine.explanation_document import Explanation
from relay.engine.showing import Shape
from relay.model.access import Scope
from relay.model.delivery import Reason
from relay.model.event import Status
from relay.render import TemplateError
from relay.server.api.operation import Call, Document, Nothing, Operation, Params, Time
from relay.server.api.resources.rules import TAG
from relay.server.trying import MANY, TYPED, Given, Wanted, explained, look

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_NEAR: Final = re.compile(r"did you mean '?(?P<name>[^'?]+)'?\?")


class GivenEvent(Params):
    """The event that is meant: one of `type`, `id` and `document`."""

    type: Name | None = Field(None, description="the sample of this type")
    id: Name | None = Field(None, description="an event that the relay has")
    document: dict[str, Any] | None = Field(
        None,
        description="an event, or a webhook's body; what it lacks comes from the sample of its type",
    )
    status: Status | None = Field(None, description="`firing` or `resolved`, for alerts; not for an `id`")

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [each for each in (self.type, self.id, self.document) if each is not None]
        if len(given) != 1:
            raise ValueError("give one of `type`, `id` and `document`")
        if self.id is not None and self.status is not None:
            raise ValueError("the event of an `id` has its own status")
        return self

    def given(self) -> Given:
        """Return it as the server has it."""
        return Given(self.type, self.id, self.document, None if self.status is None else str(self.status))


class PreviewRequest(Params):
    """The message that is to be looked at."""

    kind: Name | None = Field(None, description="the kind of channel; or give `channel`")
    channel: Name | None = Field(None, description="a configured channel")
    template: Name | None = Field(None, description="a template's name; by default that of the event's type")
    parts: dict[Name, Annotated[str, StringConstraints(max_length=TYPED)]] = Field(
        default_factory=dict,
        max_length=10,
        description="templates that are not saved, by the part that they make; in place of the saved ones",
    )
    event: GivenEvent | None = Field(None, description="by default a sample that fits the template")
    group: int | None = Field(None, ge=1, le=MANY, description="of so many things like it")
    reason: Reason | None = Field(None, description="why it is told")


class TemplateProblem(Document):
    """What is wrong with a template."""

    template: str
    line: int | None
    message: str
    suggestion: str | None = Field(description="the name that may have been meant")

    @classmethod
    def of(cls, error: TemplateError) -> Self:
        """Return what an error says."""
        near = _NEAR.search(error.message)
        return cls(
            template=error.template,
            line=error.line,
            message=error.message,
            suggestion=None if near is None else near["name"],
        )


class Header(Document):
    """What goes with a body."""

    name: str
    value: str


class PreviewDocument(Document):
    """How a message would look, as far as it got."""

    kind: str
    channel: str | None
    template: str
    event_type: str
    note: str = Field(description="what was taken from the sample of the event's type; empty for nothing")
    parts: dict[str, str] | None = Field(description="what the templates make; null if one of them fails")
    headers: list[Header] = Field(description="what goes with the body; secrets are hidden")
    body: str | None = Field(description="what would be sent, cut to the receiver's limits")
    bytes: int | None = Field(description="how large the body is")
    warnings: list[str] = Field(description="what is cut, or too large")
    error: TemplateProblem | None = Field(description="why the relay would send a plain form instead")


class ExplainRequest(Params):
    """The event of which it is to be said what would become of it."""

    event: GivenEvent
    at: Time | None = Field(None, description="when it happens; by default now")


async def preview_template(call: Call[Nothing, PreviewRequest]) -> PreviewDocument:
    """Show what a message would look like, with templates that are not saved.

    They are rendered in a process of their own, which gets two seconds and little memory.
    """
    body = call.body
    wanted = Wanted(
        kind=body.kind,
        channel=body.channel,
        template=body.template,
        typed=body.parts,
        given=Given() if body.event is None else body.event.given(),
        shape=Shape(body.group, body.reason),
    )
    looked = await look(call.service, wanted)
    seen = looked.preview
    return PreviewDocument(
        kind=seen.kind,
        channel=looked.channel,
        template=looked.template,
        event_type=looked.found.event.type,
        note=looked.found.note,
        parts=None if seen.parts is None else dict(seen.parts),
        headers=[Header(name=name, value=value) for name, value in seen.headers],
        body=seen.body,
        bytes=None if seen.body is None else len(seen.body.encode()),
        warnings=list(seen.doubts),
        error=None if seen.error is None else TemplateProblem.of(seen.error),
    )


async def explain_event(call: Call[Nothing, ExplainRequest]) -> Explanation:
    """Say what would become of an event.

    What every rule says to it, who would get it and when, and what would hold it back.
    """
    return Explanation.of(await explained(call.service, call.body.event.given(), call.body.at))


_REFUSALS: Final = (HTTPStatus.NOT_FOUND,)

OPERATIONS: Final = (
    Operation(
        "POST", "/templates/preview", preview_template, PreviewDocument, Scope.OPERATE, TAG,
        body=PreviewRequest, refusals=_REFUSALS, harmless=True,
    ),
    Operation(
        "POST", "/rules/explain", explain_event, Explanation, Scope.READ, TAG,
        body=ExplainRequest, refusals=_REFUSALS, harmless=True,
    ),
)  # fmt: skip
"""What can be tried."""
