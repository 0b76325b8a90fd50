"""Saying no: one form for pages and the API, and a limit for those who guess."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from relay.engine.limits import Window
from relay.model.clock import Clock

_GUESSES: Final = 30
_PER: Final = 60.0


@dataclass(frozen=True, slots=True)
class Field:
    """What is wrong with one field of what was sent."""

    name: str
    message: str


class RefusedError(Exception):
    """A request is not served: why, and what would help, for a person to read.

    ``commands`` are commands that do the same on the relay's own machine.
    """

    def __init__(
        self,
        status: HTTPStatus,
        title: str,
        advice: str = "",
        *,
        commands: Sequence[str] = (),
        fields: Sequence[Field] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{title} {advice}".strip())
        self.status, self.title, self.advice = status, title, advice
        self.commands, self.fields, self.headers = commands, fields, headers or {}


STORE_FAILS: Final = RefusedError(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The relay cannot use its store at the moment.",
    "Try again in a minute, and look first whether it was done. If that does not help, its log says more.",
    headers={"Retry-After": "60"},
)


class Guesses:
    """At most so many wrong links or tokens a minute are looked at, whoever sends them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._window = Window(_GUESSES, _PER)

    def count(self) -> None:
        """Count a wrong one. Raises RefusedError if there are too many."""
        self.refuse_more()
        self._window.take(self._clock.monotonic())

    def refuse_more(self) -> None:
        """Raise RefusedError if there were so many that nothing unknown is looked at any more."""
        seconds = self._window.wait(self._clock.monotonic())
        if seconds > 0:
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "Too many wrong links or tokens were sent.",
                "Try again in a minute; what is known to be right is served meanwhile.",
                headers={"Retry-After": str(int(seconds) + 1)},
            )
