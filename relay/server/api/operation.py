"""What the API is made of: operations, what they are given, and what they answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from relay.model.access import Principal, Scope
from relay.server.service import Service

Q = TypeVar("Q")
B = TypeVar("B")


class Params(BaseModel):
    """What a request says, in its query or its body."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(BaseModel):
    """What an answer says. It is read from the attributes of what the product works with."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Nothing(Params):
    """Nothing can be said here."""


class Paged(Params):
    """Which page of a listing is wanted."""

    cursor: str | None = Field(
        None, max_length=200, description="`next` of the page before; the newest first"
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

    ``answer`` is the type of what ``do`` returns, None for nothing. ``refusals`` are statuses that only this
    operation answers with. ``harmless`` marks a POST that changes nothing, ``secret`` one whose answer must
    not be kept, so that it takes no idempotency key.
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
    def writes(self) -> bool:
        """Tell whether it changes anything."""
        return self.method != "GET" and not self.harmless

    @property
    def texts(self) -> tuple[str, str]:
        """Return its summary, one line, and what more there is to say."""
        first, _, rest = (self.do.__doc__ or "").strip().partition("\n\n")
        return " ".join(first.split()), "\n".join(line.strip() for line in rest.strip().splitlines())
