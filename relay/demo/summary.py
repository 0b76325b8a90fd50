"""What is said at the end: what happened, who was told after how long, and whether all of it is right."""

import shutil
import sys
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from relay.demo.ledger import Due, Ledger, Received
from relay.demo.receivers import ONCALL, SOC, TERMINAL
from relay.demo.stage import Stage

_CHANNELS = (TERMINAL, SOC, ONCALL)


def document(ledger: Ledger, seconds: float) -> dict[str, Any]:
    """Return the summary as plain data; times in whole milliseconds since the thing happened."""
    return {
        "ok": ledger.is_right,
        "seconds": round(seconds, 1),
        "happened": [
            {
                "what": step.what,
                "told": [
                    {
                        "type": due.type,
                        "status": due.status,
                        "subject": due.subject,
                        "after_ms": {
                            name: _milliseconds(step.told[due, name])
                            for name in due.channels
                            if (due, name) in step.told
                        },
                    }
                    for due in step.due
                ],
            }
            for step in ledger.steps
        ],
        "messages": ledger.counts(_CHANNELS),
        "verified": {
            name: sum(each.verified for each in ledger.received if each.channel == name)
            for name in (SOC, ONCALL)
        },
        "lost": [f"{_called(due)} to {name}" for due, name in ledger.lost],
        "doubled": [_read(message) for message in ledger.doubled],
        "unexpected": [_read(message) for message in ledger.unexpected],
        "unverified": [_read(message) for message in ledger.unverified],
    }


def write(stage: Stage, ledger: Ledger, seconds: float) -> None:
    """Write the summary for people."""
    found = document(ledger, seconds)
    stage.head("What happened in MSR, and who was told after how many milliseconds")
    stage.console.print(_table(ledger), width=stage.width)
    counts = found["messages"]
    signed, sealed = found["verified"][SOC], found["verified"][ONCALL]
    shown = sum(len(step.due) for step in ledger.steps)
    all_told = (
        f"Nothing lost: MSR showed {shown} things, the rules made {sum(counts.values())} messages of them."
    )
    signatures = (
        f"{signed} of {counts[SOC]} webhook signatures right, {sealed} of {counts[ONCALL]} mails encrypted."
    )
    _verdict(stage, all_told, "Lost", found["lost"])
    _verdict(stage, "Nothing told twice.", "Told twice", found["doubled"])
    _verdict(stage, "Nothing told that did not happen.", "Told, but did not happen", found["unexpected"])
    _verdict(stage, signatures, "Not verified", found["unverified"])
    stage.say("[dim]Trust: one second of each is the feed's own delay (in a real MSR: 60).")


def next_steps(stage: Stage) -> None:
    """Write what to do next."""
    steps = {
        "msr-relay init": "writes a commented relay.yaml and .env",
        "msr-relay check --live": "says whether they are right and MSR answers",
        "msr-relay run": "watches, until stopped",
    }
    stage.head("Next")
    program = Path(sys.argv[0])
    if program.name == "msr-relay" and shutil.which("msr-relay") is None:
        stage.say(f"[dim]The program is {program}: put its folder on your PATH.", indent=2)
    for command, meaning in steps.items():
        stage.say(f"[green]{command:<23}[/] {meaning}", indent=2)
    stage.say("[dim]More in docs/quick-start.md.", indent=2)


def _table(ledger: Ledger) -> Table:
    table = Table(box=SIMPLE_HEAD, expand=True, pad_edge=False, header_style="dim", border_style="dim")
    table.add_column("what MSR showed", ratio=1, overflow="ellipsis", no_wrap=True)
    for name in _CHANNELS:
        table.add_column(name, justify="right")
    for step in ledger.steps:
        for due in step.due:
            cells = (_cell(step.told.get((due, name)), name in due.channels) for name in _CHANNELS)
            table.add_row(_called(due), *cells)
    return table


def _cell(seconds: float | None, is_due: bool) -> str:
    if not is_due:
        return "[dim]–[/]"
    return "[bold red]LOST[/]" if seconds is None else str(_milliseconds(seconds))


def _verdict(stage: Stage, good: str, bad: str, found: list[str]) -> None:
    if not found:
        stage.say(Text.assemble(("✔ ", "green"), good))
    for each in found:
        stage.say(Text.assemble((f"✘ {bad}: ", "bold red"), each))


def _called(due: Due) -> str:
    ending = "" if due.status == "event" else f" {due.status}"
    return f"{due.type}{ending}: {due.subject}"


def _read(message: Received) -> str:
    return f"{message.type} {message.status} to {message.channel}: {message.text}"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
