"""What the audience sees: stage directions, and what each receiver is told, in at most 100 columns."""

from collections.abc import Callable

from rich.console import Console
from rich.text import Text

_WIDEST = 100
_NAME = 8
_MOST_LINES = 4
_COLOURS = {"terminal": "cyan", "soc": "magenta", "oncall": "blue"}


class Stage:
    """Writes to a terminal, or plainly to anything else. ``elapsed`` tells the seconds since the start."""

    def __init__(self, console: Console, elapsed: Callable[[], float]) -> None:
        self.console = console
        self.width = min(console.width, _WIDEST)
        self._elapsed = elapsed

    def say(self, *lines: str | Text, indent: int = 0) -> None:
        """Write paragraphs."""
        for line in lines:
            text = line.copy() if isinstance(line, Text) else Text.from_markup(line)
            self._write(Text(" " * indent), text, Text(" " * indent))

    def head(self, text: str) -> None:
        """Begin a part."""
        self.say("", f"[bold]{text}")

    def direct(self, what: str, remark: str) -> None:
        """Announce what happens in MSR now, and what to look for."""
        seconds = int(self._elapsed())
        clock = f"{seconds // 60:02}:{seconds % 60:02}  "
        self.console.print()
        self._write(
            Text(clock, "dim"), Text.assemble(("MSR: ", "bold yellow"), (what, "bold")), Text(" " * 7)
        )
        self._write(Text(" " * 7), Text(remark, "dim"), Text(" " * 7))

    def show(self, channel: str, text: Text) -> None:
        """Show what a channel was told, or the beginning of it."""
        bar = Text(" │ ", "dim")
        name = Text(f"{channel:>{_NAME}}", _COLOURS.get(channel, ""))
        first, rest = Text.assemble(name, bar), Text.assemble(" " * _NAME, bar)
        lines = text.split("\n")
        # A line that says that there is one more would be no shorter than that line.
        most = _MOST_LINES if len(lines) > _MOST_LINES + 1 else len(lines)
        for number, line in enumerate(lines[:most]):
            if number:
                line.stylize("dim")
            self._write(rest if number else first, line, Text.assemble(rest, " " * (6 if number else 2)))
        if most < len(lines):
            self._write(rest, Text(f"    … and {len(lines) - most} lines more", "dim"), rest)

    def _write(self, first: Text, text: Text, rest: Text) -> None:
        room = self.width - max(first.cell_len, rest.cell_len)
        for number, line in enumerate(text.wrap(self.console, room)):
            line.rstrip()
            self.console.print(Text.assemble(rest if number else first, line), soft_wrap=True)
