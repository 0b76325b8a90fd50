"""Channels with several targets: one result each, and what they come to together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relay.channels.errors import SendError
from relay.model.delivery import Outcome, Sent, TargetOutcome


@dataclass(frozen=True, slots=True)
class Result:
    """How it went for one target: with an error, or well."""

    target: str
    error: SendError | None = None
    status: int | None = None
    answer: str = ""

    @property
    def outcome(self) -> TargetOutcome:
        """The result in the form that is stored."""
        if self.error is None:
            return TargetOutcome(self.target, Outcome.DELIVERED, self.status)
        return TargetOutcome(self.target, self.error.outcome, self.error.status, self.error.message)


def conclude(results: Sequence[Result], receipt: Mapping[str, Any] | None = None) -> Sent:
    """What an attempt with these results says; raises when all of them failed in the same way."""
    targets = tuple(result.outcome for result in results)
    errors = [result.error for result in results if result.error is not None]
    wait = max((e.retry_after for e in errors if e.retry_after is not None), default=None)
    if errors and {target.outcome for target in targets} == {errors[0].outcome}:
        first = errors[0]
        raise type(first)(
            _together(errors), status=first.status, answer=first.answer, retry_after=wait, targets=targets
        )
    best = next((result for result in results if result.error is None), None)
    return Sent(
        status=best.status if best else errors[0].status if errors else None,
        answer=best.answer if best else errors[0].answer if errors else "",
        targets=targets,
        receipt=receipt,
        retry_after=wait,
    )


def _together(errors: Sequence[SendError]) -> str:
    first, others = errors[0].message, {error.message for error in errors[1:]}
    return first if others <= {first} else f"{first} (and {len(others - {first})} more)"
