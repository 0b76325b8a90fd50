"""Channels that speak HTTP: how they get out, and one request turned into the errors of channels."""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Final, Never
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from relay.channels.base import Channel
from relay.channels.classify import failure, unanswered
from relay.channels.errors import BadBody
from relay.http import Answer, Http, HttpError, Route
from relay.model.delivery import Message


class HttpChannel(Channel):
    """Base of the kinds that send through the house's own HTTP client."""

    ca_file: Path | None = None
    """PEM file of the authorities to trust instead of the system's."""
    client_cert: Path | None = None
    """PEM file of a certificate to show to the receiver; may hold the key too."""
    client_key: Path | None = None
    """PEM file of that certificate's key, unencrypted."""
    verify: bool = True
    """`false` accepts any certificate. Unsafe."""
    proxy: SecretStr | None = None
    """`http://[user:password@]host:port` of a proxy. The environment's proxy variables are not read."""
    allow_private: bool = Field(default=False)
    """`true` allows receivers at private, loopback and link-local addresses."""

    @cached_property
    def route(self) -> Route:
        """The way to the receiver."""
        return Route(
            self.ca_file, self.client_cert, self.client_key, self.verify, self.proxy, self.allow_private
        )

    async def request(
        self,
        http: Http,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        timeout: float,
        max_bytes: int,
    ) -> Answer:
        """One request and its answer, of any status. Raises Retryable or Refused when there is none."""
        try:
            return await http.send(
                method,
                url,
                route=self.route,
                headers=headers,
                body=body,
                timeout=timeout,
                max_bytes=max_bytes,
                pool=("channel", self.name),
            )
        except HttpError as error:
            unsent = unanswered(error)
        raise unsent

    def judge(self, answer: Answer, message: Message) -> str:
        """What a successful answer says, as it may be stored; raises what any other one means."""
        said = self.shown(answer.text())
        if (error := failure(answer.status, answer.headers, said, message.at)) is not None:
            raise error
        return said


def http_url(url: SecretStr) -> SecretStr:
    """The URL, if it is one with http or https; else ValueError, without the URL in it."""
    try:
        parsed = urlsplit(url.get_secret_value())
        usable = parsed.scheme in {"http", "https"} and bool(parsed.hostname) and parsed.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("not a URL: write http(s)://host[:port]/…")
    return url


def read_json(body: str) -> object:
    """The document that a template made; BadBody when it is not JSON (RFC 8259, so without NaN)."""
    try:
        document: object = _JSON.decode(body)
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the template makes no valid JSON: {error}") from None
    return document


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")


_JSON: Final = json.JSONDecoder(parse_constant=_no_constant)
