"""The root of the settings: it joins clusters, channels and rules."""

from datetime import timedelta
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from relay.channels import Channel, channel_type, kinds
from relay.config import Duration, RootSettings, Section, at_least, off_is_none, off_or_mapping
from relay.engine.given import Surroundings
from relay.engine.inhibition import InhibitRule
from relay.engine.intervals import TimeInterval, Times, Zone
from relay.engine.rules import Rule, default_rules
from relay.model.catalogue import CATALOGUE, stands_for
from relay.model.severity import Severity
from relay.settings.cluster import ClusterSettings
from relay.settings.evidence import EvidenceSettings
from relay.settings.heartbeat import HeartbeatSettings
from relay.settings.hook import HookSettings
from relay.settings.server import ServerSettings
from relay.settings.telemetry import TelemetrySettings


def _check_type(name: str) -> str:
    if name not in CATALOGUE:
        raise ValueError(f"there is no event type {name}")
    return name


def _check_alert_type(name: str) -> str:
    if not CATALOGUE[_check_type(name)].lasting:
        raise ValueError(f"{name} is a one-off event: it has no lifetime to be damped")
    if stands_for(name):
        raise ValueError(f"{name} is not damped: a cluster's mass_deletion says when it begins and ends")
    return name


def _check_some(intervals: list[TimeInterval]) -> list[TimeInterval]:
    if not intervals:
        raise ValueError("must be a list of at least one")
    return intervals


def _check_window(window: timedelta) -> timedelta:
    if not window:
        raise ValueError("must be longer than 0s; `flap: off` turns it off")
    return window


class RetentionSettings(Section):
    """How long things are kept."""

    events: Duration = timedelta(days=90)
    """Events, at least as long as deliveries that tell of them."""
    deliveries: Duration = timedelta(days=30)
    """Deliveries that are finished, with their attempts."""
    alerts: Duration = timedelta(days=90)
    """Alerts that are resolved."""


class FlapSettings(Section):
    """When an alert flaps: it fires or resolves too often. That is told once, and then it is quiet until the
    condition has been gone (it resolves) or has held (it is told anew) for the whole time without a break."""

    changes: int = Field(default=6, ge=1, le=100)
    """More changes than this are flapping; firing is one, resolving is another."""
    within: Annotated[Duration, AfterValidator(_check_window)] = timedelta(minutes=10)
    """The time within which they count, and for which it must be steady to be settled."""


class DampingSettings(Section):
    """When an alert of a type fires and resolves."""

    hold: Duration | None = Field(
        default=None,
        alias="for",
        description="How long it must hold before it fires. Default: its [type](events.md)'s, mostly 0s.",
    )
    keep: Duration = Field(
        default=timedelta(0),
        alias="keep_firing_for",
        description="How long it must be gone before it resolves.",
    )
    flap: Annotated[
        FlapSettings | None,
        BeforeValidator(
            off_or_mapping("{changes: 6, within: 10m}"), json_schema_input_type=FlapSettings | str | None
        ),
    ] = FlapSettings()
    """When it changes too often to tell each time: by default more than 6 times within 10m; `off`: never."""


class LogSettings(Section):
    """The relay's own log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is written."""
    format: Literal["auto", "console", "json"] = "auto"
    """`auto`: readable on a terminal, JSON otherwise."""
    repeat_every: Duration = timedelta(minutes=10)
    """How often the same trouble with the same thing is written while it lasts, with the number of lines that
    were left out; `0s`: each time."""


ReportAbsence = Annotated[
    Annotated[Duration, at_least(timedelta(minutes=2))] | None,
    BeforeValidator(off_is_none, json_schema_input_type=Duration | Literal["off"] | None),
]
"""At least as long as two signs of life may lie apart; None for `off`."""

_members: Any = reduce(or_, (channel_type(kind) for kind in kinds()))
AnyChannel = Annotated[_members, Field(discriminator="kind")]

OneOrMore = TimeInterval | Annotated[list[TimeInterval], AfterValidator(_check_some)]

EventName = Annotated[str, AfterValidator(_check_type)]
AlertName = Annotated[str, AfterValidator(_check_alert_type)]


class Settings(RootSettings):
    """Everything that can be set."""

    store: SecretStr = SecretStr("sqlite:///relay.db")
    """Where everything is kept: sqlite:///FILE or postgresql://…"""
    server: ServerSettings = ServerSettings()
    """The HTTP listener."""
    clusters: list[ClusterSettings] = Field(default_factory=list)
    """The MSR clusters to watch."""
    channels: list[AnyChannel] = Field(default_factory=list)
    """Where messages go."""
    rules: list[Rule] = Field(default_factory=list)
    """Which events go where. None: severity warning and worse goes to every channel."""
    inhibit: list[InhibitRule] = Field(default_factory=list)
    """Which alerts cover others. An unreachable cluster always covers others that are read there."""
    time_intervals: dict[str, OneOrMore] = Field(default_factory=dict)
    """Times that rules name in `mute_during` and `active_during`: per name one interval, or a list of which
    any may hold."""
    alerts: dict[AlertName, DampingSettings] = Field(default_factory=dict)
    """Per alert type: `for`, `keep_firing_for` and `flap`, which is on for all types unless turned off."""
    severities: dict[EventName, Severity] = Field(default_factory=dict)
    """Severities other than the usual ones, per event type."""
    templates: Path | None = None
    """A directory of your own templates; they come before the ones that are shipped."""
    timezone: Zone = "UTC"
    """The time zone in which messages tell times."""
    retention: RetentionSettings = RetentionSettings()
    """How long things are kept."""
    stop_within: Duration = timedelta(seconds=10)
    """How long a graceful stop may take."""
    log: LogSettings = LogSettings()
    """The relay's own log."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """Where traces go."""
    evidence: EvidenceSettings = EvidenceSettings()
    """The evidence log of the trust data's changes."""
    heartbeats: list[HeartbeatSettings] = Field(default_factory=list)
    """Signs of life, to dead man's switches and to channels."""
    hooks: list[HookSettings] = Field(default_factory=list)
    """What MSR and Alertmanager may post to this relay."""
    report_absence: ReportAbsence = timedelta(minutes=5)
    """After how long an absence the relay tells that it was away, at least 2m; `off`: never."""

    @property
    def channel_names(self) -> list[str]:
        """The names of all channels, in order."""
        return [channel.name for channel in self.destinations]

    @property
    def destinations(self) -> list[Channel]:
        """The channels, in order."""
        return list(self.channels)

    @property
    def times(self) -> Times:
        """The time intervals by name, each a list."""
        found = self.time_intervals.items()
        return {name: [given] if isinstance(given, TimeInterval) else given for name, given in found}

    @property
    def effective_rules(self) -> list[Rule]:
        """The rules, or what holds without any."""
        return self.rules or default_rules(self.channel_names)

    @property
    def surroundings(self) -> Surroundings:
        """What samples of events take over: the first cluster, and the severities."""
        if not self.clusters:
            return Surroundings(severities=self.severities)
        first = self.clusters[0]
        return Surroundings(first.name, first.labels, first.notes, self.severities)
