"""How sending fails: five classes, of which each tells the caller what to do next."""

from typing import ClassVar

from relay.model.delivery import Outcome, TargetOutcome
from relay.model.errors import RelayError


class SendError(RelayError):
    """A message was not taken. Raise one of the subclasses.

    The message says what happened and what an operator can do. `status` is the receiver's (HTTP, SMTP),
    `answer` what it said, cut and redacted. `retry_after` (seconds) is how long the receiver asks to be
    left alone. `targets` has an outcome for each target that was tried, in a channel that has several.
    """

    outcome: ClassVar[Outcome]

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        answer: str = "",
        retry_after: float | None = None,
        targets: tuple[TargetOutcome, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.answer = answer
        self.retry_after = retry_after
        self.targets = targets


class Retryable(SendError):  # noqa: N818
    """Later may help. Any other exception of a channel counts as this one."""

    outcome = Outcome.RETRY


class Rejected(SendError):  # noqa: N818
    """This very message will never be taken; others may be."""

    outcome = Outcome.REJECTED


class BadBody(Rejected):
    """What the templates made cannot be sent in this form; the plain form (`Channel.plain`) may be taken."""


class Refused(SendError):  # noqa: N818
    """The channel's configuration or credentials are refused, so every message would be."""

    outcome = Outcome.REFUSED


class Gone(SendError):  # noqa: N818
    """The receiver says that it no longer exists."""

    outcome = Outcome.GONE
