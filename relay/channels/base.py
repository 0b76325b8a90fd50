"""What every channel is: its own configuration, and a way to send."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from relay.config.durations import Duration, off_is_none
from relay.http import Http, Redactor
from relay.model.delivery import Message, Sent
from relay.model.text import storable, without_links

ANSWER_CHARACTERS: Final = 1000
"""How much of a receiver's answer is kept."""
_PER: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
_RATE: Final = re.compile(r"([1-9]\d{0,5})/([1-9]\d{0,3})?([smh])")
_LONGEST_WORD: Final = 3
_CUT: Final = "… (cut)"
_TOKEN: Final = re.compile(r"(?=\D*\d).{6,}|.{20,}")
"""What in a URL looks like a secret. Hiding every word of a path would garble the texts."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` messages in any `seconds`."""

    count: int
    seconds: float

    @classmethod
    def parse(cls, value: object) -> "Rate":
        """Read `1/s`, `30/m`, `100/h` or `5/10s`; ValueError for anything else."""
        if isinstance(value, Rate):
            return value
        found = _RATE.fullmatch(value.replace(" ", "")) if isinstance(value, str) else None
        if found is None:
            raise ValueError("not a rate: write a number of messages per time, such as 1/s, 30/m or 5/10s")
        return cls(int(found[1]), int(found[2] or 1) * _PER[found[3]])

    def __str__(self) -> str:
        unit = max((u for u in _PER if self.seconds % _PER[u] == 0), key=_PER.__getitem__)
        units = self.seconds / _PER[unit]
        return f"{self.count}/{'' if units == 1 else f'{units:g}'}{unit}"


RateField = Annotated[
    Rate,
    PlainValidator(Rate.parse),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": f"^{_RATE.pattern}$", "examples": ["1/s", "30/m"]}),
]


def _positive(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("must be longer than 0s")
    return value


Timeout = Annotated[Duration, AfterValidator(_positive)]
"""A duration longer than nothing."""


OrOff = Annotated[
    Timeout | None, BeforeValidator(off_is_none, json_schema_input_type=Timeout | Literal["off"] | None)
]
"""A duration, or `off`."""


class Section(BaseModel):
    """Base of everything that is configured here: immutable, no unknown keys, no values in error texts."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True
    )


class _Several:
    """Lets one value stand for a list of one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_as_list, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        members = handler(core)
        return {"anyOf": [members["items"], members]}


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | SecretStr) else value


Texts = Annotated[tuple[str, ...], _Several()]
"""One text, or a list."""
Secrets = Annotated[tuple[SecretStr, ...], _Several()]
"""One secret, or a list."""


class Retry(Section):
    """Which waits there are between the attempts at a message that was not taken."""

    schedule: tuple[Duration, ...] = Field(
        default=("5s", "30s", "2m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "24h"),
        validate_default=True,
        min_length=1,
    )
    """The waits before the second, third … attempt."""
    jitter: float = Field(default=0.1, ge=0, le=0.5)
    """Each wait is made longer or shorter by a random part of up to this fraction of it."""


class Channel(Section, ABC):
    """A configured destination. One subclass, in one module, per kind.

    A subclass says which rendered parts it wants (`PARTS`), its options as fields, and how to send. Retrying,
    limits, storing and logging are the caller's. It keeps no state that matters: it may be made anew at any
    time.
    """

    PARTS: ClassVar[tuple[str, ...]]
    """The rendered parts that `Message.parts` has to have."""
    ACKNOWLEDGES: ClassVar[bool] = False
    """Whether its messages hold links that acknowledge: only where people read them, and no program."""

    kind: str
    """What sort of channel this is."""
    name: str = Field(min_length=1, max_length=100)
    """What rules and messages call this channel."""
    timeout: Timeout = timedelta(seconds=20)
    """How long one attempt may take."""
    concurrency: int = Field(default=1, ge=1, le=256)
    """How many messages may be under way at once."""
    rate: RateField | None = None
    """How many messages may go out in a time, such as `1/s` or `30/m`; none: no limit."""
    retry: Retry = Retry()
    """When a message that was not taken is tried again."""

    digest_after: OrOff = timedelta(minutes=15)
    """After an outage, what has waited longer goes out as one message per rule; `off`: one by one."""

    @property
    def group_bytes(self) -> int | None:
        """How many bytes a message about several things may have; None: the channel cuts by itself."""
        return None

    @abstractmethod
    def compose(self, message: Message) -> str:
        """The body as it will be sent and stored: pure, and cut visibly to the receiver's limits.

        Raises BadBody when the rendered parts make no valid body, Rejected when nothing could.
        """

    @abstractmethod
    async def send(self, message: Message, body: str, http: Http) -> Sent:
        """Send what `compose` made of the message, once, within `timeout`.

        Raises Retryable, Rejected, Refused or Gone; any other exception counts as Retryable. A channel with
        several targets skips those in `message.settled` and returns one outcome for each of the others
        when they differ.
        """

    @abstractmethod
    def plain(self, title: str, text: str, payload: Mapping[str, Any]) -> dict[str, str]:
        """The parts of a built-in form, for when a template fails: not one of them needs a template."""

    def headers_shown(self, message: Message) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """What goes with the body, by name, as it may be shown to people: with secrets hidden."""
        return ()

    def doubts(self, message: Message, body: str) -> tuple[str, ...]:  # noqa: ARG002
        """What the author of a message should know of it: that it was cut, or is too large."""
        return ()

    def problems(self) -> tuple[str, ...]:
        """What is wrong with this configuration but costs too much to find out at every start.

        For `check`. It may import and read files, and sends nothing.
        """
        return ()

    async def close(self) -> None:
        """Let go of what sending has opened. Nothing is sent afterwards."""

    def secrets(self) -> tuple[str, ...]:
        """Every secret value that this channel holds, and those parts of them that may show up alone."""
        return self._secrets

    def shown(self, text: str) -> str:
        """A text of the receiver's as it may be stored and shown: redacted, printable, cut.

        A receiver may send back what it got, so links to acknowledge by are hidden too.
        """
        if not text:
            return ""
        # Before the lines become one: quoted-printable breaks links into lines.
        clean = " ".join(self._redactor(without_links(storable(text))).split())
        if not clean.isprintable():
            clean = "".join(c if c.isprintable() else "\ufffd" for c in clean)
        return cut(clean, ANSWER_CHARACTERS)

    @cached_property
    def _redactor(self) -> Redactor:
        return Redactor(self.secrets())

    @cached_property
    def _secrets(self) -> tuple[str, ...]:
        whole = [s.get_secret_value() for s in _walk(getattr(self, f) for f in type(self).model_fields)]
        return tuple(
            dict.fromkeys(part for secret in whole if secret for part in (secret, *secret_parts(secret)))
        )


def cut(text: str, limit: int) -> str:
    """The text, at most `limit` characters of it; a cut one says so at its end."""
    return text if len(text) <= limit else text[: max(0, limit - len(_CUT))] + _CUT[:limit]


def _walk(values: Iterable[Any]) -> Iterator[SecretStr]:
    for value in values:
        if isinstance(value, SecretStr):
            yield value
        elif isinstance(value, BaseModel):
            yield from _walk(getattr(value, field) for field in type(value).model_fields)
        elif isinstance(value, Mapping):
            yield from _walk(value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            yield from _walk(value)


def secret_parts(secret: str) -> Iterator[str]:
    """What of a secret may show up alone: the path, query, user or token of a URL, the base64 of a key."""
    found = _url_parts(secret) if "://" in secret else [*secret.split()[1:], secret.partition("_")[2]]
    yield from (part for part in found if len(part) > _LONGEST_WORD)


def _url_parts(secret: str) -> Iterator[str]:
    # A receiver, a proxy or a library tells about a URL by its path, its query or its user, not as a whole.
    try:
        url = urlsplit(secret)
        user, password = url.username, url.password
    except ValueError:
        return
    if user is not None:
        yield f"{unquote(user)}:{unquote(password or '')}"
        yield unquote(password or user)
    yield url.path + (f"?{url.query}" if url.query else "")
    yield url.path
    inside = [*map(unquote, url.path.split("/")), *(value for _, value in parse_qsl(url.query))]
    if url.scheme not in {"http", "https"}:
        # Apprise has tokens where others have a host.
        host = url.netloc.rpartition("@")[2].partition(":")[0]
        inside += [host] if "." not in host else []
    yield from filter(_TOKEN.fullmatch, inside)
