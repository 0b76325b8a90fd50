"""How the relay is seen from outside: its metrics, its traces, and whether what should move moves."""

import asyncio
import platform
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog

from relay.app.scraping import Queues, Scraping
from relay.app.watchdog import Watchdog
from relay.engine.channel_loop import ChannelLoop
from relay.model.alert import Alert
from relay.model.clock import Clock
from relay.model.errors import ConfigError, Problem
from relay.model.observation import Watch
from relay.model.telemetry import Several, Telemetry
from relay.server.metrics import Metrics
from relay.settings import Settings
from relay.store import Store
from relay.watch.supervisor import Supervisor

_log = structlog.get_logger("relay.insight")

if TYPE_CHECKING:
    from relay.app.tracing import Tracing


class Insight:
    """What is told to whoever watches the relay. ``telemetry`` is what its parts tell.

    Raises ConfigError where traces are configured and what exports them is not installed.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._metrics = Metrics(clock)
        self._tracing = _tracing(settings, clock)
        self._opened = AsyncExitStack()
        both = [self._metrics] if self._tracing is None else [self._metrics, self._tracing]
        self.telemetry: Telemetry = Several(both, _failed)

    def begin(
        self,
        store: Store,
        *,
        troubles: Callable[[], Mapping[str, str]],
        loops: Callable[[], Mapping[str, ChannelLoop]],
        alerts: Callable[[], Collection[Alert]],
        supervisors: Callable[[], Sequence[Supervisor]],
    ) -> None:
        """Look at these from now on; each returns what is there by then."""
        self._watchdog = Watchdog(store, self._clock, loops)
        queues = Queues(store, self._clock)
        self._opened.push_async_callback(queues.close)
        self.scrape = Scraping(
            self._metrics,
            queues,
            self._clock,
            platform.node(),
            troubles=troubles,
            loops=loops,
            alerts=alerts,
            supervisors=supervisors,
        )

    @property
    def troubles(self) -> Mapping[str, str]:
        """What does not move that should, by part."""
        return self._watchdog.troubles

    def know(self, channels: Iterable[str], rules: Iterable[str], watches: Iterable[Watch]) -> None:
        """Take note of what is configured."""
        self._metrics.know(channels, rules, watches)

    async def run(self) -> None:
        """Look whether what should move moves, until cancelled."""
        await self._watchdog.run()

    async def close(self) -> None:
        """Let go of everything, and export what is left."""
        await self._opened.aclose()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)


def _failed(error: Exception) -> None:
    # Who measures must not stand in the way of what is measured.
    _log.error("what measures the relay has failed", error=f"{type(error).__name__}: {error}")


def _tracing(settings: Settings, clock: Clock) -> "Tracing | None":
    telemetry = settings.telemetry
    if telemetry.otlp_endpoint is None:
        return None
    try:
        # Here alone: it is an extra, and takes a while to load.
        from relay.app.tracing import Tracing
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise ConfigError(
            Problem(
                "", "telemetry.otlp_endpoint", "traces need OpenTelemetry", "pip install 'msr-relay[otel]'"
            )
        ) from None
    headers = {name: value.get_secret_value() for name, value in telemetry.otlp_headers.items()}
    return Tracing(telemetry.otlp_endpoint, headers, clock)
