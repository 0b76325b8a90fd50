"""Webhooks to any URL, signed by Standard Webhooks."""

import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, SecretStr, field_validator

from relay.channels import signatures
from relay.channels.base import OrOff, Retry, Secrets
from relay.channels.over_http import HttpChannel, http_url, read_json
from relay.config.durations import Duration
from relay.http import Http
from relay.model.delivery import Message, Sent
from relay.model.text import storable

_ANSWER_BYTES: Final = 4096
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HIDDEN: Final = "(hidden)"
_SIGNED: Final = "(computed when it is sent)"
_OURS: Final = {
    "connection", "content-length", "content-type", "expect", "host", "te", "traceparent", "trailer",
    "transfer-encoding", "upgrade", "webhook-id", "webhook-signature", "webhook-timestamp",
}  # fmt: skip


class WebhookRetry(Retry):
    """The schedule that Standard Webhooks recommends."""

    schedule: tuple[Duration, ...] = Field(
        default=("5s", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "24h"),
        validate_default=True,
        min_length=1,
    )
    """The waits before the second, third … attempt."""


class Webhook(HttpChannel):
    """An HTTP request to any URL.

    Success is a status 2xx; a redirect is refused, 410 disables the channel. The headers `webhook-id` (the
    same on every attempt), `webhook-timestamp` (of this attempt) and `webhook-signature` follow Standard
    Webhooks. Where the relay traces, `traceparent` lets the receiver go on with its trace.
    """

    PARTS: ClassVar[tuple[str, ...]] = ("json",)

    kind: Literal["webhook"]
    """`webhook`"""
    url: SecretStr
    """Where to send to. It may hold a token, so it is shown nowhere."""
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    """The request's method."""
    headers: Mapping[str, SecretStr] = Field(default_factory=dict)
    """More headers, such as `Authorization`. Their values are treated as secrets."""
    content_type: str = Field(default="application/json", pattern=r"^[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w.+-]+)*$")
    """The body's type. As long as it is JSON, a template has to make valid JSON."""
    signing_secrets: Secrets = Field(default=(), alias="secrets")
    """Shared secret, `whsec_` and base64 of 24 to 64 random bytes. One, or a list while they are rotated."""
    signing_key: Secrets = ()
    """Private ed25519 key, `whsk_` and base64, for receivers that hold the public one. One, or a list."""
    concurrency: int = Field(default=16, ge=1, le=256)
    """How many messages may be under way at once."""
    retry: WebhookRetry = WebhookRetry()
    """When a message that was not taken is tried again."""
    digest_after: OrOff = None
    """After an outage, what has waited longer goes out as one message per rule; `off`: one by one."""
    max_bytes: int = Field(default=20_000, ge=2_000, le=1_000_000)
    """How large a message about several things may be: what is beyond goes into further parts."""

    @property
    def group_bytes(self) -> int | None:
        """How many bytes a message about several things may have."""
        return self.max_bytes

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: SecretStr) -> SecretStr:
        return http_url(url)

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a header: letters, digits and hyphens")
            if name.lower() in _OURS:
                raise ValueError(f"{name} is set by the relay (for Content-Type there is `content_type`)")
            if not value.get_secret_value().isprintable():
                raise ValueError(f"the value of {name} has line breaks or control characters")
        return headers

    @field_validator("signing_secrets")
    @classmethod
    def _are_secrets(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in secrets:
            signatures.symmetric(secret.get_secret_value())
        return secrets

    @field_validator("signing_key")
    @classmethod
    def _are_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in keys:
            signatures.asymmetric(key.get_secret_value())
        return keys

    def compose(self, message: Message) -> str:
        """The part `json` as it is. BadBody if it has to be JSON (`content_type`) and is not."""
        body = storable(message.parts["json"]).strip()
        if self._json:
            read_json(body)
        return body

    async def send(self, message: Message, body: str, http: Http) -> Sent:
        """One request; see Channel.send."""
        traced = {} if message.traceparent is None else {"traceparent": message.traceparent}
        signed = signatures.headers(self._signers, message.id, message.at, body)
        answer = await self.request(
            http,
            self.method,
            self.url.get_secret_value(),
            headers=self._fixed_headers | traced | signed,
            body=body.encode(),
            timeout=self.timeout.total_seconds(),
            max_bytes=_ANSWER_BYTES,
        )
        return Sent(status=answer.status, answer=self.judge(answer, message))

    def plain(self, title: str, text: str, payload: Mapping[str, Any]) -> dict[str, str]:
        """The payload itself, with the text as `data.text`."""
        data = {**payload.get("data", {}), "title": title, "text": text}
        return {"json": json.dumps({**payload, "data": data})}

    def headers_shown(self, message: Message) -> tuple[tuple[str, str], ...]:
        """The headers of the request. What could be used by whoever sees it is hidden."""
        ours = signatures.headers((), message.id, message.at, "")
        if self._signers:
            ours["webhook-signature"] = _SIGNED
        return (
            ("content-type", self.content_type),
            *((name, _HIDDEN) for name in self.headers),
            *ours.items(),
        )

    def doubts(self, message: Message, body: str) -> tuple[str, ...]:  # noqa: ARG002
        """Whether a message about several things would be told in parts."""
        size = len(body.encode())
        if size <= self.max_bytes:
            return ()
        return (f"it has {size} bytes, more than max_bytes ({self.max_bytes}): receivers may refuse it",)

    @cached_property
    def _json(self) -> bool:
        return self.content_type.partition(";")[0].endswith(("/json", "+json"))

    @cached_property
    def _fixed_headers(self) -> dict[str, str]:
        given = {name: value.get_secret_value() for name, value in self.headers.items()}
        return {"Content-Type": self.content_type} | given

    @cached_property
    def _signers(self) -> tuple[signatures.Signer, ...]:
        return (
            *(signatures.symmetric(secret.get_secret_value()) for secret in self.signing_secrets),
            *(signatures.asymmetric(key.get_secret_value()) for key in self.signing_key),
        )
