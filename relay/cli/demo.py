"""``msr-relay demo``."""

import asyncio
import io
import json
import random
import signal
import sys
import tempfile
from pathlib import Path

import typer
from rich.console import Console

from relay.app.logs import set_up
from relay.demo import summary
from relay.demo.play import Options, Play
from relay.model.clock import SystemClock
from relay.model.errors import Exit

_INTERRUPTED = 130
"""What shells give a command that Ctrl-C has ended."""


def demo(*, pace: float, keep: bool, as_json: bool, verbose: bool) -> None:
    """Play the demonstration and exit.

    With 0 if everything was told as it should be, or if Ctrl-C came after the end (``--keep``); with 1 if
    something was lost, doubled, made up or not verified; with 130 if Ctrl-C (or SIGTERM) came before the end.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    # Made outside of the event loop: it is removed even if a second Ctrl-C ends the loop at once.
    try:
        with tempfile.TemporaryDirectory(prefix="msr-relay-demo-", ignore_cleanup_errors=True) as folder:
            status = _play(Options(pace, keep), Path(folder), as_json=as_json, verbose=verbose)
    except KeyboardInterrupt:
        status = _INTERRUPTED
    raise typer.Exit(status)


def _play(options: Options, folder: Path, *, as_json: bool, verbose: bool) -> int:
    with (folder / "relay.log").open("w", encoding="utf-8") as log:
        set_up("info", "auto", stream=None if verbose else log)
        # Ports, tokens and jitter of a demonstration need no cryptographic randomness.
        source = random.Random()  # noqa: S311
        play = Play(options, Console(highlight=False, quiet=as_json), folder, SystemClock(), source)
        try:
            asyncio.run(_until_stopped(play))
        except (KeyboardInterrupt, asyncio.CancelledError):
            if not play.is_over:
                play.stage.say("", "Stopped; nothing is left behind.")
                return _INTERRUPTED
    if as_json:
        sys.stdout.write(json.dumps(summary.document(play.ledger, play.seconds), indent=2) + "\n")
    return int(Exit.OK if play.ledger.is_right else Exit.FAILED)


async def _until_stopped(play: Play) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await play.run()
