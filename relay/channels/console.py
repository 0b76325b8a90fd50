"""Messages on the terminal, or as JSON lines where there is none."""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, TextIO

from pydantic import PrivateAttr

from relay.channels.base import Channel
from relay.channels.errors import Retryable
from relay.channels.threads import AllBusyError, Threads
from relay.http import Http
from relay.model.delivery import Message, Sent
from relay.model.text import storable

_STYLES = {"critical": "bold red", "error": "red", "warning": "yellow", "info": "cyan"}


class Console(Channel):
    """Writes to standard output: readable lines on a terminal, else one JSON object per line."""

    PARTS: ClassVar[tuple[str, ...]] = ("txt",)

    kind: Literal["console"]
    """`console`"""

    _stream: TextIO | None = PrivateAttr(default=None)
    # One at a time: lines must not mix, and a reader that has stopped reading blocks the writer.
    _thread: Threads = PrivateAttr(default_factory=lambda: Threads("console", 1))

    def onto(self, stream: TextIO) -> Self:
        """The same channel, writing to another stream than standard output."""
        other = self.model_copy()
        other._stream = stream
        other._thread = Threads("console", 1)
        return other

    def compose(self, message: Message) -> str:
        """The lines, or the JSON line, without the last line break."""
        text = storable(message.parts["txt"]).rstrip()
        if self._on_terminal:
            return f"{message.timestamp:%H:%M:%S} {_label(message)} {text}"
        return json.dumps(
            {
                "timestamp": message.timestamp.isoformat().replace("+00:00", "Z"),
                "id": message.id,
                "type": message.type,
                "status": message.status,
                "severity": message.severity,
                "text": text,
            },
            ensure_ascii=False,
        )

    async def send(self, message: Message, body: str, http: Http) -> Sent:  # noqa: ARG002
        """Write the body. Raises Retryable when nobody reads."""
        try:
            async with asyncio.timeout(self.timeout.total_seconds()):
                await self._thread.run(lambda: self._write(message, body))
        except (TimeoutError, AllBusyError):
            raise Retryable("the output takes nothing: whatever reads it has stopped reading") from None
        except (OSError, ValueError) as error:
            raise Retryable(f"the output cannot be written: {error}") from None
        return Sent()

    def plain(self, title: str, text: str, payload: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG002
        """The text."""
        return {"txt": f"{title}\n{text}"}

    @property
    def _out(self) -> TextIO:
        return self._stream or sys.stdout

    @property
    def _on_terminal(self) -> bool:
        return not self._out.closed and self._out.isatty()

    def _write(self, message: Message, body: str) -> None:
        out = self._out
        if self._on_terminal:
            from rich.console import Console as Terminal
            from rich.text import Text

            line = Text(body)
            style = "green" if message.status == "resolved" else _STYLES.get(message.severity, "")
            line.highlight_words([_label(message)], style)
            Terminal(file=out, highlight=False, soft_wrap=True).print(line)
        else:
            out.write(body + "\n")
            out.flush()


def _label(message: Message) -> str:
    return f"{'resolved' if message.status == 'resolved' else message.severity} {message.type}"
