"""Everything that Apprise reaches, by URL: some 180 services."""

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, Self

from pydantic import Field, PrivateAttr, SecretStr, field_validator, model_validator

from relay.channels.base import Channel, RateField, Secrets, Texts, Timeout, cut
from relay.channels.classify import failure
from relay.channels.errors import Refused, Rejected, Retryable, SendError
from relay.channels.targets import Result, conclude
from relay.channels.threads import AllBusyError, Threads
from relay.http import Http
from relay.model.delivery import Message, Sent
from relay.model.text import storable

if TYPE_CHECKING:
    from relay.channels.apprise_services import Failure, Fault, Service

# Apprise's log lines hold URLs, and so do those of what it sends with. What is needed comes with its results.
for _logger in map(logging.getLogger, ("apprise", "urllib3")):
    _logger.propagate = False
    _logger.setLevel(logging.WARNING)

_TITLE: Final = 250
_BODY: Final = 32_768
_KINDS: Final = {"critical": "failure", "error": "failure", "warning": "warning"}
_SHARE: Final = 0.9
"""How much of the time a service may take: the outcomes of the others have to get out in time."""
_HANGING: Final = 2
"""Threads for each one that can be under way: so many may hang before sending is refused."""


class _Loaded(NamedTuple):
    services: "list[Service]"
    faults: "list[Fault]"
    threads: Threads


class Apprise(Channel):
    """Any service that Apprise knows, by its URLs or by an Apprise configuration file.

    A target is a URL. Apprise does not tell all: the HTTP status is known for most services only, Retry-After
    for none, and a URL with several recipients counts as one. Private addresses are not guarded.
    """

    PARTS: ClassVar[tuple[str, ...]] = ("title.txt", "txt")

    kind: Literal["apprise"]
    """`apprise`"""
    urls: Secrets = ()
    """Apprise URLs, such as `pover://USER@TOKEN`. Treated as secrets. One, or a list."""
    config_file: Path | None = None
    """An Apprise configuration file, text or YAML, instead of `urls`. Includes are not followed."""
    tags: Texts = ()
    """Which services of `config_file` are meant: those with any of these tags; without tags, all."""
    timeout: Timeout = timedelta(seconds=60)
    """How long one attempt may take, with the pauses that Apprise makes for a service's sake."""
    concurrency: int = Field(default=2, ge=1, le=64)
    """How many messages may be under way at once."""
    rate: RateField | None = Field(default="10/m", validate_default=True)
    """How many messages may go out in a time."""

    _loaded: "_Loaded | None" = PrivateAttr(default=None)
    _loading: asyncio.Lock = PrivateAttr(default_factory=asyncio.Lock)

    @field_validator("urls")
    @classmethod
    def _are_urls(cls, urls: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for index, url in enumerate(urls):
            if "://" not in url.get_secret_value():
                raise ValueError(f"urls[{index}] is no Apprise URL: service://…")
        return urls

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.urls) == (self.config_file is not None):
            raise ValueError("set either `urls` or `config_file`")
        if self.tags and self.config_file is None:
            raise ValueError("`tags` choose from `config_file`, and there is none")
        return self

    def problems(self) -> tuple[str, ...]:
        """URLs that Apprise does not take, and a file that names no service."""
        return tuple(f"{place}: {text}" for place, text in self._load().faults)

    def secrets(self) -> tuple[str, ...]:
        """Those of the configuration, and the URLs that `config_file` named."""
        services = self._loaded.services if self._loaded else []
        of_file = (secret for service in services for secret in service.secrets)
        return (*super().secrets(), *of_file)

    def compose(self, message: Message) -> str:
        """Title and text as JSON. Each service's own limits are met when sending."""
        title = " ".join(storable(message.parts["title.txt"]).split())
        text = storable(message.parts["txt"]).strip()
        return json.dumps({"title": cut(title, _TITLE), "text": cut(text, _BODY)}, ensure_ascii=False)

    async def send(self, message: Message, body: str, http: Http) -> Sent:  # noqa: ARG002
        """Send to all services that are not settled, at once, each in a thread."""
        services, faults, threads = await self._ready()
        content = json.loads(body)
        kind = "success" if message.status == "resolved" else _KINDS.get(message.severity, "info")
        tasks = [
            asyncio.create_task(self._notify(threads, service, content, kind, message))
            for service in services
            if service.target not in message.settled
        ]
        return conclude([*self._unusable(faults, message), *await asyncio.gather(*tasks)])

    def plain(self, title: str, text: str, payload: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG002
        """Title and text."""
        return {"title.txt": title, "txt": text}

    def _unusable(self, faults: "list[Fault]", message: Message) -> list[Result]:
        # The others are told all the same, and the delivery shows what is missing. What Apprise says of a
        # file cannot be tied to a target: that is for `check`.
        wrong = faults if self.urls else []
        return [Result(place, Rejected(text)) for place, text in wrong if place not in message.settled]

    async def _notify(
        self, threads: Threads, service: "Service", content: Mapping[str, str], kind: str, message: Message
    ) -> Result:
        from relay.channels.apprise_services import notify

        try:
            async with asyncio.timeout(_SHARE * self.timeout.total_seconds()):
                failed = await threads.run(lambda: notify(service, content["title"], content["text"], kind))
        except TimeoutError:
            text = "no end in time; the message may still arrive: check the service, or raise `timeout`"
            return Result(service.target, Retryable(f"{service.target}: {text}"))
        except AllBusyError:
            text = "earlier messages still hang in this channel's threads: check the service"
            return Result(service.target, Retryable(f"{service.target}: {text}"))
        except Exception as error:
            # A bug in one service must not hide that the others have the message.
            text = self.shown(f"{type(error).__name__}: {error}")
            return Result(service.target, Retryable(f"{service.target}: {text}"))
        return Result(service.target, self._error(service.target, failed, message) if failed else None)

    def _error(self, target: str, failed: "Failure", message: Message) -> SendError:
        said = self.shown(failed.text)
        known = failure(failed.status, {}, said, message.at) if failed.status else None
        if known is None:
            return Retryable(f"{target}: {said}", status=failed.status, answer=said)
        return type(known)(f"{target}: {known.message}", status=failed.status, answer=said)

    async def _ready(self) -> _Loaded:
        async with self._loading:
            if self._loaded is None:
                loaded = await asyncio.to_thread(self._load)
                if not loaded.services:
                    place, text = loaded.faults[0]
                    raise Refused(f"{place}: {text}")
                self._loaded = loaded
            return self._loaded

    def _load(self) -> _Loaded:
        from relay.channels.apprise_services import from_file, from_urls

        if self.config_file is not None:
            services, faults = from_file(self.config_file, self.tags, self.name)
        else:
            services, faults = from_urls((url.get_secret_value() for url in self.urls), self.name)
        limit = _HANGING * self.concurrency * max(1, len(services))
        return _Loaded(services, faults, Threads(f"apprise-{self.name}", limit))
