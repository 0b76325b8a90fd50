"""The relay itself: whether it does its job, and who asks."""

from typing import Final

from pydantic import AwareDatetime, Field

import relay
from relay.model.access import Scope
from relay.server.api.operation import Call, Document, Nothing, Operation

TAG: Final = "the relay itself"


class StatusDocument(Document):
    """How the relay is."""

    version: str
    running_since: AwareDatetime
    now: AwareDatetime
    ready: bool
    troubles: dict[str, str] = Field(description="what is wrong, by part, as in /readyz")
    clusters: int
    channels: int
    rules: int


class WhoDocument(Document):
    """Who you are to the relay."""

    name: str
    scope: Scope
    via: str = Field(description="token, session, proxy, or local: nobody had to say")


async def show_status(call: Call[Nothing, None]) -> StatusDocument:
    """Show how the relay is."""
    service = call.service
    running, settings = service.running(), service.settings
    return StatusDocument(
        version=relay.__version__,
        running_since=running.since,
        now=service.operator.clock.now(),
        ready=not running.troubles,
        troubles=dict(running.troubles),
        clusters=len(settings.clusters),
        channels=len(settings.destinations),
        rules=len(settings.effective_rules),
    )


async def show_me(call: Call[Nothing, None]) -> WhoDocument:
    """Show who you are, and what you may do."""
    return WhoDocument.model_validate(call.who)


OPERATIONS: Final = (
    Operation("GET", "/status", show_status, StatusDocument, Scope.READ, TAG),
    Operation("GET", "/me", show_me, WhoDocument, Scope.READ, TAG),
)
"""What can be asked of the relay itself."""
