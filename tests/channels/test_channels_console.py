import io
import json
import threading
from typing import Any

import pytest

from relay.channels import Retryable
from relay.channels.console import Console
from relay.http import Http
from tests.channels.messages import PARTS, message


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def lines(stream: io.StringIO, http: Http, *messages: Any) -> str:
    channel = Console(kind="console", name="c").onto(stream)
    for told in messages:
        await channel.send(told, channel.compose(told), http)
    return stream.getvalue()


async def test_one_json_object_per_line_where_nobody_looks(http: Http) -> None:
    odd = message(parts=PARTS | {"txt": "two\nlines \u2028 and \ud800"})
    written = await lines(io.StringIO(), http, message(), odd)
    first, second = map(json.loads, written.rstrip("\n").split("\n"))
    assert first == {
        "timestamp": "2026-11-23T20:58:11Z",
        "id": "dlv_0123456789abcdef",
        "type": "trust.deleted",
        "status": "event",
        "severity": "critical",
        "text": PARTS["txt"],
    }
    assert second["text"] == "two\nlines \u2028 and \ufffd"


async def test_readable_on_a_terminal(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    written = await lines(Terminal(), http, message(parts=PARTS | {"txt": "[bold]not markup[/bold] x:1"}))
    assert "20:58:11 " in written
    assert "[bold]not markup[/bold] x:1" in written
    assert "\x1b[1;31mcritical trust.deleted\x1b[0m" in written
    resolved = await lines(Terminal(), http, message(status="resolved"))
    assert "resolved trust.deleted" in resolved


async def test_a_reader_that_stops_reading(http: Http) -> None:
    go = threading.Event()

    class Full(io.StringIO):
        def flush(self) -> None:
            go.wait()

    stream = Full()
    channel = Console.model_validate({"kind": "console", "name": "c", "timeout": "50ms"}).onto(stream)
    for _ in range(2):
        with pytest.raises(Retryable, match="stopped reading"):
            await channel.send(message(), "x", http)
    go.set()
    assert stream.getvalue() == "x\n"


async def test_standard_output_is_where_it_goes(http: Http, capsys: pytest.CaptureFixture[str]) -> None:
    channel = Console(kind="console", name="c")
    await channel.send(message(), "a line", http)
    assert capsys.readouterr().out == "a line\n"
