"""``msr-relay run``."""

import asyncio
import gc
import os
import random
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from relay.app import build
from relay.app.app import App
from relay.app.logs import set_up
from relay.app.repeats import Repeats
from relay.model.clock import SystemClock
from relay.model.errors import ConfigError, Exit
from relay.model.steps import Reach, Step, pass_by
from relay.settings import Configuration, read

_log = structlog.get_logger("relay.run")

STOP_AT = "RELAY_STOP_AT"
"""``STEP`` or ``STEP:N``: kill the process dead when it reaches that step (for the N-th time).

For crash tests only; see docs/explanation/crash-safety.md.
"""


def run(option: Path | None) -> None:
    """Run a relay until SIGTERM or SIGINT; a second one stops it at once. SIGHUP reloads."""
    clock = SystemClock()
    # One for all that is read: a reload does not make old trouble news.
    repeats = Repeats(clock)
    configuration = _read(option, repeats)
    reach = stop_point(os.environ)
    app = App(
        configuration,
        lambda: _read(option, repeats),
        clock=clock,
        # Jitter and ids of replays need no cryptographic randomness.
        source=random.Random(),  # noqa: S311
        reach=reach,
    )
    asyncio.run(_run(app))


def _read(option: Path | None, repeats: Repeats) -> Configuration:
    configuration = read(option, os.environ)
    settings = configuration.settings
    repeats.every = settings.log.repeat_every
    set_up(settings.log.level, settings.log.format, build.secrets(settings), repeats=repeats)
    # Whether templates exist is left to `check`: it costs time, and a plain message goes out anyway.
    for warning in configuration.warnings(lambda _kind, _name: True, SystemClock().now()):
        _log.warning("hardly meant so", what=str(warning))
    return configuration


def stop_point(environ: Mapping[str, str]) -> Reach:
    """Return what happens at the steps of the data path: nothing, unless a crash test asks for it."""
    wanted = environ.get(STOP_AT)
    if not wanted:
        return pass_by
    name, _, times = wanted.partition(":")
    if name not in list(Step) or not (times or "1").isdigit():
        raise ConfigError(f"{STOP_AT}: write STEP or STEP:N, with STEP one of {', '.join(Step)}")
    left = int(times or "1")

    def reach(step: Step) -> None:
        nonlocal left
        if step == name:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return reach


async def _run(app: App) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop(app))
    loop.add_signal_handler(signal.SIGHUP, app.reloading.set)
    settling = asyncio.create_task(settle(app.ready), name="settle")
    try:
        await app.run()
    finally:
        settling.cancel()


async def settle(ready: asyncio.Event) -> None:
    """Once all is made that stays, have the garbage collector leave it alone.

    What was imported, read and compiled never becomes garbage, but a full collection would look through it
    all again: nothing is sent for as long as that takes, which is a tenth of a second.
    """
    await ready.wait()
    gc.collect()
    gc.freeze()


def _stop(app: App) -> Callable[[], None]:
    def stop() -> None:
        if app.stopping.is_set():
            os._exit(int(Exit.FAILED))
        app.stopping.set()

    return stop
