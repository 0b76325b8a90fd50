"""For each kind of channel how to make one that is connected to trouble, and what has to come of it."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from relay.channels import Channel, Gone, Refused, Rejected, Retryable, channel_type
from tests.channels.trouble import HttpPeer, MailPeer, Trouble, drip, flood, listening
from tests.real.pki import Pki

SECRET = "S3CR3T"
"""In every planted secret."""
TIMEOUT = "400ms"

Expected = type[Retryable] | type[Rejected] | type[Refused] | type[Gone] | None
HTTP: Mapping[Trouble, Expected] = {
    Trouble.NONE: None,
    Trouble.REDIRECT_301: Refused,
    Trouble.REDIRECT_302: Refused,
    Trouble.REDIRECT_307: Refused,
    Trouble.BAD: Rejected,
    Trouble.UNAUTHORIZED: Refused,
    Trouble.FORBIDDEN: Refused,
    Trouble.NOT_FOUND: Refused,
    Trouble.PROXY_LOGIN: Refused,
    Trouble.TIMEOUT_408: Retryable,
    Trouble.CONFLICT: Rejected,
    Trouble.GONE: Gone,
    Trouble.TOO_LARGE: Rejected,
    Trouble.UNPROCESSABLE: Rejected,
    Trouble.TOO_EARLY: Retryable,
    Trouble.LIMITED: Retryable,
    Trouble.LIMITED_UNTIL: Retryable,
    Trouble.BROKEN: Retryable,
    Trouble.NOT_IMPLEMENTED: Retryable,
    Trouble.BAD_GATEWAY: Retryable,
    Trouble.UNAVAILABLE: Retryable,
    Trouble.GATEWAY_TIMEOUT: Retryable,
    Trouble.HANGS: Retryable,
    Trouble.DRIPS: Retryable,
    Trouble.CUT: Retryable,
    Trouble.CLOSED: Retryable,
    Trouble.DROPPED: Retryable,
    Trouble.ENDLESS: None,
}


@dataclass
class Case:
    """A channel in trouble, and how often its receiver has been asked to take something."""

    channel: Channel
    taken: Callable[[], int]


@dataclass(frozen=True)
class Peer:
    """`connect` makes a case; `expected` has every trouble that this kind can be in."""

    kind: str
    name: str
    connect: Callable[[Trouble, Pki], AbstractAsyncContextManager[Case]]
    expected: Mapping[Trouble, Expected]
    plants: frozenset[str] = frozenset()
    """The names of the secret fields that are set."""
    tells_when: bool = True
    """Retry-After comes through."""


def _over_http(kind: str, success: bytes, options: Callable[[str], dict[str, Any]]) -> Any:
    @asynccontextmanager
    async def connect(trouble: Trouble, pki: Pki) -> AsyncIterator[Case]:
        peer = HttpPeer(trouble, success)
        async with listening(peer.converse) as port:
            given = {"kind": kind, "name": f"a {kind}", "timeout": TIMEOUT, **options(f"127.0.0.1:{port}")}
            case = Case(channel_type(kind)(**given), lambda: len(peer.requests))
            if trouble is not Trouble.CLOSED:
                yield case
        if trouble is Trouble.CLOSED:
            yield case
        await case.channel.close()

    return connect


def _webhook(where: str) -> dict[str, Any]:
    return {
        "url": f"http://user:{SECRET}-password-1@{where}/hooks/{SECRET}-path-2?token={SECRET}-query-3",
        "headers": {"X-Token": f"Token {SECRET}-header-4"},
        "secrets": ["whsec_" + base64.b64encode(f"{SECRET}-shared-secret-55555".encode()).decode()],
        "signing_key": "whsk_" + base64.b64encode(f"{SECRET}-key".ljust(32, "6").encode()).decode(),
        "allow_private": True,
    }


def _webhook_by_proxy(where: str) -> dict[str, Any]:
    proxy = f"http://user:{SECRET}-proxy-7@{where}"
    return {"url": "http://soc.example.com/hook", "proxy": proxy, "allow_private": True}


def _slack_hook(where: str) -> dict[str, Any]:
    return {"webhook_url": f"http://{where}/services/T0/B0/{SECRET}12345678", "allow_private": True}


def _slack_bot(where: str) -> dict[str, Any]:
    return {
        "token": f"xoxb-{SECRET}-12345678",
        "channel": "C012345",
        "api_url": f"http://{where}/api",
        "allow_private": True,
    }


def _apprise(where: str) -> dict[str, Any]:
    return {"urls": [f"json://user:{SECRET}-password-1@{where}/{SECRET}-path-2?+X-Token={SECRET}-header-3"]}


_DRIPS = {Trouble.DRIPS: drip, Trouble.ENDLESS: flood}
_MAIL: Mapping[Trouble, tuple[Expected, dict[str, str]]] = {
    Trouble.NONE: (None, {}),
    Trouble.BAD: (Rejected, {".": "554 5.6.0 Not a mail"}),
    Trouble.UNAUTHORIZED: (Refused, {"AUTH": "535 5.7.8 No"}),
    Trouble.FORBIDDEN: (Refused, {"MAIL": "550 5.7.1 Not you"}),
    Trouble.NOT_FOUND: (Refused, {"RCPT": "550 5.1.1 No such user"}),
    Trouble.PROXY_LOGIN: (Refused, {"RCPT": "530 5.7.0 Log in first"}),
    Trouble.TIMEOUT_408: (Retryable, {"RCPT": "450 4.2.0 Greylisted"}),
    Trouble.TOO_LARGE: (Rejected, {"MAIL": "552 5.3.4 Too large"}),
    Trouble.UNPROCESSABLE: (Rejected, {"DATA": "554 5.5.1 No"}),
    Trouble.LIMITED: (Retryable, {"MAIL": "421 4.7.0 Too many"}),
    Trouble.BROKEN: (Retryable, {".": "451 4.3.0 Broken"}),
    Trouble.UNAVAILABLE: (Retryable, {"greeting": "421 4.3.2 Not now"}),
    Trouble.BAD_GATEWAY: (Retryable, {"greeting": "554 5.3.2 No service"}),
    Trouble.HANGS: (Retryable, {}),
    Trouble.DRIPS: (Retryable, {}),
    Trouble.ENDLESS: (Retryable, {}),
    Trouble.CUT: (Retryable, {"MAIL": "close"}),
    Trouble.CLOSED: (Retryable, {}),
    Trouble.DROPPED: (Retryable, {".": "close"}),
}


async def _hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def _mail(trouble: Trouble, pki: Pki) -> AsyncIterator[Case]:
    hold = _hang if trouble is Trouble.HANGS else _DRIPS.get(trouble)
    peer = MailPeer(_MAIL[trouble][1], hold)
    async with listening(peer.converse, tls=pki.server_context()) as port:
        smtp = {"host": "127.0.0.1", "port": port, "tls": "tls", "ca_file": pki.ca_file}
        channel = channel_type("email")(
            kind="email",
            name="a mail",
            smtp={**smtp, "username": "relay", "password": f"{SECRET}-password-1"},
            timeout=TIMEOUT,
            **{"from": "relay@example.com"},
            to=["oncall@example.com", "soc@example.com"],
        )
        if trouble is not Trouble.CLOSED:
            yield Case(channel, lambda: len(peer.mails))
    if trouble is Trouble.CLOSED:
        yield Case(channel, lambda: len(peer.mails))


class _Pipe(io.StringIO):
    """Standard output with nobody behind it."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self.trouble = trouble

    def flush(self) -> None:
        if self.trouble is Trouble.DROPPED:
            raise BrokenPipeError(32, "Broken pipe")


@asynccontextmanager
async def _console(trouble: Trouble, pki: Pki) -> AsyncIterator[Case]:
    pipe = _Pipe(trouble)
    if trouble is Trouble.CLOSED:
        pipe.close()
    console: Any = channel_type("console")
    yield Case(console(kind="console", name="a console").onto(pipe), lambda: 1)


PEERS = [
    Peer(
        "webhook",
        "webhook",
        _over_http("webhook", b"ok", _webhook),
        HTTP,
        frozenset({"url", "headers", "signing_secrets", "signing_key"}),
    ),
    Peer(
        "webhook",
        "webhook by proxy",
        _over_http("webhook", b"ok", _webhook_by_proxy),
        HTTP,
        frozenset({"proxy"}),
    ),
    # An answer without end is not Slack's `ok`.
    Peer(
        "slack",
        "slack by webhook",
        _over_http("slack", b"ok", _slack_hook),
        {**HTTP, Trouble.ENDLESS: Refused},
        frozenset({"webhook_url"}),
    ),
    Peer(
        "slack",
        "slack by bot",
        _over_http("slack", b'{"ok": true, "channel": "C012345", "ts": "1.2"}', _slack_bot),
        {**HTTP, Trouble.ENDLESS: Refused},
        frozenset({"token"}),
    ),
    Peer("email", "email", _mail, {t: e for t, (e, _) in _MAIL.items()}, frozenset({"smtp"}), False),
    # Apprise reads answers to their end: only our time limit ends that.
    Peer(
        "apprise",
        "apprise",
        _over_http("apprise", b"ok", _apprise),
        {**HTTP, Trouble.ENDLESS: Retryable},
        frozenset({"urls"}),
        False,
    ),
    Peer(
        "console",
        "console",
        _console,
        {Trouble.NONE: None, Trouble.DROPPED: Retryable, Trouble.CLOSED: Retryable},
    ),
]
