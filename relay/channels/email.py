"""Mail over SMTP: one transaction for all recipients, one outcome for each."""

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping
from datetime import timedelta
from email.headerregistry import Address
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
)
from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from relay.channels import mail_message
from relay.channels.base import Channel, RateField, Section, Texts, Timeout
from relay.channels.errors import Refused, Rejected, SendError
from relay.channels.smtp_errors import Stage, by_break, by_reply, no_recipient
from relay.channels.targets import Result, conclude
from relay.http import Http
from relay.model.delivery import Message, Sent

_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,70}")
_OURS: Final = {
    "auto-submitted", "bcc", "cc", "date", "from", "in-reply-to", "message-id", "mime-version", "references",
    "reply-to", "sender", "subject", "to",
}  # fmt: skip


def _check_address(value: str) -> str:
    mail_message.parse_address(value)
    return value


def _check_addresses(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(_check_address, values))


MailAddress = Annotated[str, AfterValidator(_check_address)]
Addresses = Annotated[Texts, AfterValidator(_check_addresses)]


class Smtp(Section):
    """A mail server."""

    host: str = Field(min_length=1, max_length=253, pattern=r"^[^\s/@]+$")
    """Its name or address."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Its port; by default 587 for `starttls`, 465 for `tls`, 25 for `none`."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls`: encrypted before anything is sent. `tls`: encrypted from the first byte. `none`: not."""
    username: str | None = Field(default=None, min_length=1)
    """For the login; none without."""
    password: SecretStr | None = Field(default=None, min_length=1)
    """For the login."""
    ca_file: Path | None = None
    """PEM file of the authorities to trust instead of the system's."""
    verify: bool = True
    """`false` accepts any certificate. Unsafe."""
    helo: str | None = Field(default=None, pattern=r"^[\w.:\[\]-]+$")
    """The name to greet with; by default the machine's, if it has a domain."""
    timeout: Timeout = timedelta(seconds=20)
    """How long one step (connecting, each command) may take; `timeout` of the channel is for them all."""

    @model_validator(mode="after")
    def _login(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("`username` and `password` belong together")
        if self.username is not None and self.tls == "none":
            raise ValueError("a password is not sent without encryption: set `tls` to `starttls` or `tls`")
        return self

    @property
    def where(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port or _PORTS[self.tls]}"

    def client(self) -> SMTP:
        """A connection to be made. Raises OSError when `ca_file` cannot be used."""
        name = socket.gethostname()
        return SMTP(
            hostname=self.host,
            port=self.port or _PORTS[self.tls],
            use_tls=self.tls == "tls",
            start_tls=False,
            tls_context=None if self.tls == "none" else self._context,
            timeout=self.timeout.total_seconds(),
            # RFC 5321, 4.1.4: a host without a full name greets with its address.
            local_hostname=self.helo or (name if "." in name else "[127.0.0.1]"),
        )

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class Email(Channel):
    """Mail to one or several recipients: text and HTML, one thread per alert.

    Recipients that have a mail do not get it again when it is repeated for the others. The mail server may
    have a private address.
    """

    PARTS: ClassVar[tuple[str, ...]] = ("subject.txt", "txt", "html")
    ACKNOWLEDGES: ClassVar[bool] = True

    kind: Literal["email"]
    """`email`"""
    smtp: Smtp
    """The mail server."""
    sender: MailAddress = Field(alias="from")
    """The sender, such as `MSR Relay <relay@example.com>`."""
    to: Addresses = Field(min_length=1)
    """Recipients, such as `oncall@example.com`. One, or a list."""
    cc: Addresses = ()
    """More recipients, in the header Cc."""
    bcc: Addresses = ()
    """More recipients, in no header."""
    reply_to: Addresses = ()
    """Where answers go."""
    headers: Mapping[str, str] = Field(default_factory=dict)
    """More headers, such as `X-Priority: "1"`."""
    timeout: Timeout = timedelta(seconds=60)
    """How long one attempt may take."""
    concurrency: int = Field(default=2, ge=1, le=256)
    """How many mails may be under way at once."""
    rate: RateField | None = Field(default="1/s", validate_default=True)
    """How many mails may go out in a time."""

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a header: letters, digits and hyphens")
            if name.lower() in _OURS or name.lower().startswith("content-"):
                raise ValueError(f"{name} is set by the relay")
            if not value.isprintable() or len(value) > 900:
                raise ValueError(f"the value of {name} has line breaks or control characters, or is too long")
        return headers

    def compose(self, message: Message) -> str:
        """The whole mail as it goes over the wire."""
        return mail_message.compose(self._envelope, message)

    async def send(self, message: Message, body: str, http: Http) -> Sent:  # noqa: ARG002
        """One SMTP transaction for the recipients that are not settled; a target is an address."""
        try:
            client = self.smtp.client()
        except OSError as error:
            raise Refused(f"{self.smtp.ca_file}: no PEM file of certificates: {error.strerror}") from None
        try:
            async with asyncio.timeout(self.timeout.total_seconds()):
                await self._open(client)
                results = await self._transact(client, message, body.encode("ascii"))
        except (SMTPException, OSError) as error:
            failure = by_break(error, self.smtp.where)
        else:
            return conclude(results)
        finally:
            _leave(client)
        raise failure

    def headers_shown(self, message: Message) -> tuple[tuple[str, str], ...]:
        """What a mail client shows above a mail."""
        found = (
            ("From", self.sender),
            ("To", ", ".join(self.to)),
            ("Cc", ", ".join(self.cc)),
            ("Reply-To", ", ".join(self.reply_to)),
            ("Subject", mail_message.one_line(message.parts["subject.txt"])),
        )
        return tuple((name, value) for name, value in found if value)

    def doubts(self, message: Message, body: str) -> tuple[str, ...]:  # noqa: ARG002
        """What of the mail was cut or left out."""
        return tuple(mail_message.doubts(message))

    def plain(self, title: str, text: str, payload: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG002
        """Title, text, and the text as preformatted HTML."""
        return {"subject.txt": title, "txt": text, "html": f"<pre>{escape(text)}</pre>"}

    @cached_property
    def _envelope(self) -> mail_message.Envelope:
        def read(addresses: tuple[str, ...]) -> tuple[Address, ...]:
            return tuple(map(mail_message.parse_address, addresses))

        sender = mail_message.parse_address(self.sender)
        return mail_message.Envelope(
            self.name, sender, read(self.to), read(self.cc), read(self.reply_to), self.headers
        )

    @cached_property
    def _recipients(self) -> tuple[str, ...]:
        everybody = map(mail_message.parse_address, (*self.to, *self.cc, *self.bcc))
        return tuple(dict.fromkeys(address.addr_spec for address in everybody))

    async def _open(self, client: SMTP) -> None:
        stage = Stage.GREETING
        try:
            await client.connect()
            if self.smtp.tls == "starttls":
                stage = Stage.STARTTLS
                await client.ehlo()
                if not client.supports_extension("starttls"):
                    raise Refused(f"{self.smtp.where} offers no STARTTLS: correct `smtp.tls` and `smtp.port`")
                await client.starttls()
            if self.smtp.username is not None and self.smtp.password is not None:
                stage = Stage.LOGIN
                await self._login(client, self.smtp.username, self.smtp.password.get_secret_value())
        except SMTPResponseException as error:
            failure = self._failure(stage, error)
        else:
            return
        raise failure

    async def _login(self, client: SMTP, username: str, password: str) -> None:
        await client.ehlo()
        if not client.supported_auth_methods:
            raise Refused(f"{self.smtp.where} offers no login: correct `smtp.port` or remove `smtp.username`")
        await client.login(username, password)

    async def _transact(self, client: SMTP, message: Message, mail: bytes) -> list[Result]:
        try:
            await client.mail(self._envelope.sender.addr_spec)
        except SMTPResponseException as error:
            raise self._failure(Stage.SENDER, error) from None
        results: list[Result] = []
        accepted: list[str] = []
        for recipient in self._recipients:
            if recipient in message.settled:
                continue
            try:
                await client.rcpt(recipient)
            except SMTPRecipientRefused as error:
                results.append(Result(recipient, self._failure(Stage.RECIPIENT, error)))
            else:
                accepted.append(recipient)
        if accepted:
            return results + await self._hand_over(client, mail, accepted)
        errors = [result.error for result in results if result.error is not None]
        if errors and not message.settled and all(isinstance(error, Rejected) for error in errors):
            raise no_recipient(errors[0])
        return results

    async def _hand_over(self, client: SMTP, mail: bytes, accepted: list[str]) -> list[Result]:
        try:
            answer = await client.data(mail)
        except SMTPResponseException as error:
            failure = self._failure(Stage.MESSAGE, error)
            return [Result(recipient, failure) for recipient in accepted]
        said = self.shown(answer.message)
        return [Result(recipient, None, answer.code, said) for recipient in accepted]

    def _failure(self, stage: Stage, error: SMTPResponseException) -> SendError:
        at = Stage.LOGIN if isinstance(error, SMTPAuthenticationError) else stage
        return by_reply(at, error.code, self.shown(error.message))


def _leave(client: SMTP) -> None:
    # The answer to QUIT is not waited for: whatever it were, the mail has been taken or not, and a time-out
    # here would make a mail that was taken look like one that was not.
    if isinstance(client.transport, asyncio.WriteTransport) and not client.transport.is_closing():
        client.transport.write(b"QUIT\r\n")
    client.close()
