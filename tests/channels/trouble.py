"""What can go wrong at a receiver, whatever it speaks, and servers that do it."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from enum import Enum

from tests.channels.messages import AT


class Trouble(Enum):
    """HTTP statuses as they are; and what happens on the wire."""

    NONE = 200
    REDIRECT_301 = 301
    REDIRECT_302 = 302
    REDIRECT_307 = 307
    BAD = 400
    UNAUTHORIZED = 401
    FORBIDDEN = 403
    NOT_FOUND = 404
    PROXY_LOGIN = 407
    TIMEOUT_408 = 408
    CONFLICT = 409
    GONE = 410
    TOO_LARGE = 413
    UNPROCESSABLE = 422
    TOO_EARLY = 425
    LIMITED = 429
    LIMITED_UNTIL = "429 with a date"
    BROKEN = 500
    NOT_IMPLEMENTED = 501
    BAD_GATEWAY = 502
    UNAVAILABLE = 503
    GATEWAY_TIMEOUT = 504
    HANGS = "never answers"
    DRIPS = "a byte now and then"
    CUT = "closes within the answer"
    CLOSED = "nothing listens"
    DROPPED = "closes instead of answering"
    ENDLESS = "an answer without end"


RETRY_SECONDS = 120
RETRY_UNTIL = AT + timedelta(hours=1)
Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(conversation: Conversation, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on loopback that holds each connection by the conversation."""
    tasks: set[asyncio.Task[None]] = set()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await conversation(reader, writer)
            writer.close()
        except asyncio.CancelledError:
            # What is still to be written would keep the connection open.
            writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(hold(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def flood(writer: asyncio.StreamWriter) -> None:
    """Write until the other side has had enough."""
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


@dataclass
class HttpPeer:
    """An HTTP server in trouble. It sends every request back in its answer, secrets and all."""

    trouble: Trouble
    success: bytes = b"ok"
    trouble_after: Trouble | None = None
    """From the second request on."""
    requests: list[bytes] = field(default_factory=list)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            request = head + await reader.readexactly(int(length[1]) if length else 0)
            self.requests.append(request)
            await self._answer(writer, request)
            self.trouble = self.trouble_after or self.trouble

    async def _answer(self, writer: asyncio.StreamWriter, request: bytes) -> None:
        more = ""
        body = request
        match self.trouble:
            case Trouble.HANGS:
                await asyncio.Event().wait()
            case Trouble.DROPPED:
                raise OSError
            case Trouble.DRIPS | Trouble.ENDLESS | Trouble.CUT:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + self.success)
                await writer.drain()
                if self.trouble is Trouble.CUT:
                    raise OSError
                await (drip if self.trouble is Trouble.DRIPS else flood)(writer)
            case Trouble.NONE:
                status, body = 200, self.success
            case Trouble.LIMITED:
                status, more = 429, f"Retry-After: {RETRY_SECONDS}\r\n"
            case Trouble.LIMITED_UNTIL:
                status, more = 429, f"Retry-After: {format_datetime(RETRY_UNTIL, usegmt=True)}\r\n"
            case _:
                status = int(self.trouble.value)
                more = "Location: /elsewhere\r\n" if 300 <= status < 400 else ""
        writer.write(f"HTTP/1.1 {status} Said\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()


@dataclass
class MailPeer:
    """A mail server that answers as told: by verb, `greeting`, or `.` for the mail itself."""

    replies: dict[str, str]
    hold: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None
    """What happens instead of an answer to the mail."""
    mails: list[bytes] = field(default_factory=list)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._say(writer, "greeting", "220 mail.example.com")
        while line := await reader.readline():
            verb = line.split()[0].decode().upper()
            match verb:
                case "EHLO":
                    await self._say(writer, verb, "250-mail.example.com\r\n250 AUTH PLAIN")
                case "AUTH":
                    # What came is sent back, password and all.
                    await self._say(writer, verb, "235 Welcome", line.decode().strip())
                case "DATA":
                    await self._data(reader, writer)
                case "QUIT":
                    return await self._say(writer, verb, "221 Bye")
                case _:
                    await self._say(writer, verb, "250 OK")
        return None

    async def _data(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._say(writer, "DATA", "354 Go on")
        self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
        if self.hold is not None:
            await self.hold(writer)
        await self._say(writer, ".", "250 Taken")

    async def _say(self, writer: asyncio.StreamWriter, when: str, usual: str, more: str = "") -> None:
        reply = self.replies.get(when, usual)
        if reply == "close":
            raise OSError
        writer.write(f"{reply} {more}".rstrip().encode() + b"\r\n")
        await writer.drain()
