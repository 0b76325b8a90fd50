"""A real SMTP server (aiosmtpd) that keeps what it receives."""

import asyncio
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as modern
from typing import Any, Literal, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.real.inbox import Inbox
from tests.real.loops import LoopThread, free_port, listen
from tests.real.pki import Pki

Tls = Literal["none", "starttls", "implicit"]


@dataclass(frozen=True)
class Mail:
    """A message as it was received."""

    sender: str
    recipients: tuple[str, ...]
    """Those of the envelope that were accepted."""
    message: EmailMessage
    """With bare line feeds, as a mail client stores it."""
    raw: bytes
    """As it came over the wire."""
    tls: bool
    login: str | None


class SmtpServer:
    """Takes every mail, unless told to refuse; with `starttls` nothing before the connection is encrypted."""

    host = "127.0.0.1"

    def __init__(self, thread: LoopThread, pki: Pki, tls: Tls, login: tuple[str, str] | None) -> None:
        self.tls, self.login = tls, login
        self.messages: Inbox[Mail] = Inbox()
        self.refused_recipients: dict[str, str] = {}
        """The answer to each, as `550 5.1.1 No such user` or `451 4.7.1 Try again later`."""
        self.refused_data: str | None = None
        """The answer to a whole message."""
        self._thread = thread
        self._context = pki.server_context() if tls != "none" else None
        self._server: asyncio.Server | None = None
        self.port = 0
        self.start()

    def start(self) -> None:
        self._thread.run(self._start())

    def stop(self) -> None:
        """Connections are refused until `start`, which comes back on the same port; open ones are closed."""
        if self._server:
            self._thread.run(self._stop())

    async def _start(self) -> None:
        self.port = self.port or free_port()
        self._sessions: set[SMTP] = set()
        self._server = await asyncio.get_running_loop().create_server(
            self._session, sock=listen(self.port), ssl=self._context if self.tls == "implicit" else None
        )

    async def _stop(self) -> None:
        assert self._server
        self._server.close()
        for session in self._sessions:
            # One that is closing already may not be aborted: Python 3.11.2 stumbles over it.
            if session.transport and not session.transport.is_closing():
                session.transport.abort()
        self._server = None

    def _session(self) -> SMTP:
        starttls: ssl.SSLContext | None = self._context if self.tls == "starttls" else None
        session = SMTP(
            self,
            hostname="mail.example.com",
            ident="Test server",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=self._check_login,
            # aiosmtpd knows of TLS only what came by STARTTLS.
            auth_require_tls=self.tls == "starttls",
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )
        self._sessions.add(session)
        return session

    def _check_login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        pair = (given.login.decode(), given.password.decode()) if isinstance(given, LoginPassword) else None
        return AuthResult(success=pair == self.login, handled=False, auth_data=pair and pair[0])

    # The names that follow are aiosmtpd's.
    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.login and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self.refused_recipients.get(address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refused_data:
            return self.refused_data
        raw = cast(bytes, envelope.original_content)
        self.messages.add(
            Mail(
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                message=cast(
                    EmailMessage, BytesParser(policy=modern).parsebytes(raw.replace(b"\r\n", b"\n"))
                ),
                raw=raw,
                tls=self.tls == "implicit" or session.ssl is not None,
                login=session.auth_data,
            )
        )
        return "250 2.0.0 Taken"
