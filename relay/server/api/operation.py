"""What the API is made of: operations, what they are given, and what they answer."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from relay.model.access import Principal, Scope
from relay.model.clock import tellable
from relay.server.service import Service

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?")
_TYPED: Final = re.compile(r"\{(\w+):[^}]*\}")

Q = TypeVar("Q")
B = TypeVar("B")


class Params(BaseModel):
    """What a request says, in its query or its body."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def _time(given: object) -> object:
    if isinstance(given, str) and not _TIME.fullmatch(given):
        raise ValueError("must be a time with its zone, such as 2026-11-23T21:00:00Z")
    if isinstance(given, int | float):
        raise ValueError("must be a text, such as 2026-11-23T21:00:00Z")
    return given


Time = Annotated[AwareDatetime, BeforeValidator(_time), AfterValidator(tellable)]
"""A time as RFC 3339 has it. pydantic by itself takes numbers too, and guesses what they count."""


CUT: Final = (
    "looking ended before the page was full, since so much had been looked through: "
    "go on with `next`, or say more exactly what is wanted"
)
"""What `cut` of a page means."""


class Document(BaseModel):
    """What an answer says. It is read from the attributes of what the product works with."""

    model_config = ConfigDict(frozen=True, from_attributes=True, defer_build=True)


class Nothing(Params):
    """Nothing can be said here."""


class Paged(Params):
    """Which page of a listing is wanted."""

    cursor: str | None = Field(
        None, max_length=2000, pattern="^[A-Za-z0-9_-]+$", description="`next` of the page before"
    )
    limit: int = Field(50, ge=1, le=200, description="so many at the most")


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """One request: what to work with, who asks, the values in its path, its query, and its body."""

    service: Service
    who: Principal
    path: Mapping[str, str]
    query: Q
    body: B


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the API does. ``path`` is below the API's root; what ``do`` says of itself documents it.

    ``answer`` is the type of what ``do`` returns, None for nothing. ``refusals`` are statuses that it answers
    with beside those that all have. ``harmless`` marks a POST that changes nothing, ``secret`` one whose
    answer must not be kept, so that it takes no idempotency key.
    """

    method: str
    path: str
    do: Callable[[Call[Any, Any]], Awaitable[Any]]
    answer: type[BaseModel] | None
    scope: Scope
    tag: str
    query: type[BaseModel] = Nothing
    body: type[BaseModel] | None = None
    status: HTTPStatus = HTTPStatus.OK
    refusals: Sequence[HTTPStatus] = ()
    harmless: bool = False
    secret: bool = False
    path_texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name in the OpenAPI document."""
        return getattr(self.do, "__name__", "operation").strip("_")

    @property
    def shown(self) -> str:
        """Its path as people write it: without what a part of it may hold."""
        return _TYPED.sub(r"{\1}", self.path)

    @property
    def writes(self) -> bool:
        """Tell whether it changes anything."""
        return self.method != "GET" and not self.harmless

    @property
    def texts(self) -> tuple[str, str]:
        """Return its summary, one line, and what more there is to say."""
        first, _, rest = (self.do.__doc__ or "").strip().partition("\n\n")
        return " ".join(first.split()), "\n".join(line.strip() for line in rest.strip().splitlines())
