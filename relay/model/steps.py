"""The steps of the data path, so that a test can stop the process dead at each of them."""

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """A point on an event's way from MSR to a receiver, in order."""

    READ = "read"
    """A watcher has its answer."""
    PLANNED = "planned"
    """Intake has decided; nothing is written."""
    COMMITTING = "committing"
    """Everything is written, the transaction still open."""
    COMMITTED = "committed"
    """The transaction is durable; the dispatcher does not know yet."""
    CLAIMED = "claimed"
    """The dispatcher has taken deliveries."""
    REWRITING = "rewriting"
    """What waits was put together, or put off; the transaction still open."""
    REWRITTEN = "rewritten"
    """That is durable; nothing is sent."""
    RENDERED = "rendered"
    """The message is ready; nothing is sent."""
    SENT = "sent"
    """The receiver has answered; nothing is written."""
    SETTLING = "settling"
    """The outcome is written, the transaction still open."""
    SETTLED = "settled"
    """The outcome is durable."""


Reach = Callable[[Step], None]
"""Called whenever a step is reached."""


def pass_by(step: Step) -> None:
    """Do nothing: what production does at every step."""
