"""Those who are told: a terminal, a webhook receiver that verifies signatures, and a mailbox."""

import asyncio
import base64
import io
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as modern
from random import Random
from typing import cast

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session
from rich.text import Text
from standardwebhooks import Webhook, WebhookVerificationError

from relay.demo.cluster import Pki, free_socket, serving
from relay.demo.ledger import Received
from relay.model.catalogue import CATALOGUE
from relay.model.clock import Clock

TERMINAL, SOC, ONCALL = "terminal", "soc", "oncall"
_CONSOLE_LINE = re.compile(r"\d\d:\d\d:\d\d (\w+) ([\w.]+) ")
_MAIL_LEVEL = re.compile(r"^([A-Z]+) · .* · ([a-z.]+)$", flags=re.MULTILINE)

Show = Callable[[Received, Text], None]
"""Takes a message, and what there is to see of it."""


class Screen(io.StringIO):
    """What the console channel takes for a terminal: it hands each message over as it is flushed.

    The channel writes from a thread of its own; ``show`` is called in the event loop's.
    """

    def __init__(self, clock: Clock, show: Show) -> None:
        super().__init__()
        self._clock = clock
        self._show = show
        self._loop = asyncio.get_running_loop()

    def isatty(self) -> bool:
        """Say yes, so that messages are written for people."""
        return True

    def flush(self) -> None:
        """Hand over what was written."""
        written = self.getvalue().strip()
        self.seek(0)
        self.truncate()
        if written:
            self._loop.call_soon_threadsafe(self._read, written, self._clock.monotonic())

    def _read(self, written: str, at: float) -> None:
        text = Text.from_ansi(written)
        found = _CONSOLE_LINE.match(text.plain)
        label, type_name = found.groups() if found else ("", "")
        status = _status(type_name, resolved=label == "resolved")
        self._show(Received(TERMINAL, type_name, status, text.plain.partition("\n")[0], at), text)


@dataclass(frozen=True, slots=True)
class Hook:
    """A running webhook receiver."""

    url: str
    secret: str


@asynccontextmanager
async def hook(clock: Clock, random: Random, show: Show) -> AsyncIterator[Hook]:
    """Receive webhooks until the end of the block; what is not signed by the secret is refused."""
    secret = "whsec_" + base64.b64encode(random.randbytes(32)).decode()
    verifier = Webhook(secret)

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            verifier.verify(body, dict(request.headers), json_parse=False)
        except WebhookVerificationError:
            verified = False
        else:
            verified = True
        told = json.loads(body)
        data = told["data"]
        message = Received(
            SOC, told["type"], data["status"], data["subject"]["name"], clock.monotonic(), verified
        )
        seal = ("signature verified", "green") if verified else ("SIGNATURE WRONG", "bold red")
        shown = Text.assemble("POST ", (told["type"], "bold"), f" {data['status']} {message.text} · ", seal)
        show(message, shown)
        return web.Response(status=204 if verified else 401)

    app = web.Application()
    app.router.add_post("/hooks/msr", take)
    async with serving(app) as port:
        yield Hook(f"http://127.0.0.1:{port}/hooks/msr", secret)


class Mailbox:
    """Takes every mail that comes encrypted, and knows its threads."""

    def __init__(self, clock: Clock, show: Show) -> None:
        self._clock = clock
        self._show = show
        self._threads: set[str] = set()
        self.sessions: set[SMTP] = set()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        """Read a mail; the name is aiosmtpd's."""
        raw = cast(bytes, envelope.original_content)
        mail = BytesParser(policy=modern).parsebytes(raw.replace(b"\r\n", b"\n"))
        text = mail.get_body(("plain",))
        found = _MAIL_LEVEL.search(text.get_content() if text is not None else "")
        level, type_name = found.groups() if found else ("", "")
        message = Received(
            channel=ONCALL,
            type=type_name,
            status=_status(type_name, resolved=level == "RESOLVED"),
            text=str(mail["Subject"]),
            at=self._clock.monotonic(),
            verified=session.ssl is not None,
        )
        self._show(message, Text.assemble("mail ", (message.text, "bold"), f"\n{self._place(mail)}"))
        return "250 2.0.0 Taken"

    def _place(self, mail: EmailMessage) -> str:
        if str(mail["In-Reply-To"] or "") in self._threads:
            return "over STARTTLS; in the thread of the first mail"
        self._threads.add(str(mail["Message-ID"]))
        return "over STARTTLS; begins a thread"


@asynccontextmanager
async def mailbox(pki: Pki, clock: Clock, show: Show) -> AsyncIterator[int]:
    """Receive mail, by STARTTLS only, until the end of the block; gives the port."""
    box = Mailbox(clock, show)
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        made = SMTP(
            box,
            hostname="mail.example.com",
            ident="MSR Relay demo",
            tls_context=pki.context,
            require_starttls=True,
            loop=loop,
        )
        box.sessions.add(made)
        return made

    free = free_socket()
    server = await loop.create_server(session, sock=free)
    try:
        yield int(free.getsockname()[1])
    finally:
        server.close()
        for each in box.sessions:
            # One that is closing already may not be aborted: Python 3.11.2 stumbles over it.
            if isinstance(each.transport, asyncio.Transport) and not each.transport.is_closing():
                each.transport.abort()


def _status(type_name: str, *, resolved: bool) -> str:
    if resolved:
        return "resolved"
    known = CATALOGUE.get(type_name)
    return "firing" if known is None or known.lasting else "event"
