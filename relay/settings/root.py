"""The root of the settings: it joins clusters, channels and rules."""

from datetime import timedelta
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from relay.channels import Channel, channel_type, kinds
from relay.config import Duration, RootSettings, Section, at_least
from relay.engine.rules import Rule, default_rules
from relay.model.catalogue import CATALOGUE
from relay.model.severity import Severity
from relay.settings.cluster import ClusterSettings, Url
from relay.settings.heartbeat import HeartbeatSettings, Zone


def _check_listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be host:port, such as 127.0.0.1:8080")
    return text


def _check_type(name: str) -> str:
    if name not in CATALOGUE:
        raise ValueError(f"there is no event type {name}")
    return name


def _check_alert_type(name: str) -> str:
    if not CATALOGUE[_check_type(name)].lasting:
        raise ValueError(f"{name} is a one-off event: it has no lifetime to be damped")
    return name


class ServerSettings(Section):
    """The HTTP listener."""

    listen: Annotated[str, AfterValidator(_check_listen)] = "127.0.0.1:8080"
    """host:port for /healthz and /readyz."""
    public_url: Url | None = None
    """The URL by which people reach it; without one, messages carry no links."""


class RetentionSettings(Section):
    """How long things are kept."""

    events: Duration = timedelta(days=90)
    """Events, at least as long as deliveries that tell of them."""
    deliveries: Duration = timedelta(days=30)
    """Deliveries that are finished, with their attempts."""
    alerts: Duration = timedelta(days=90)
    """Alerts that are resolved."""


class DampingSettings(Section):
    """When an alert of a type fires and resolves."""

    hold: Duration = Field(
        default=timedelta(0), alias="for", description="How long it must hold before it fires."
    )
    keep: Duration = Field(
        default=timedelta(0),
        alias="keep_firing_for",
        description="How long it must be gone before it resolves.",
    )


class LogSettings(Section):
    """The relay's own log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is written."""
    format: Literal["auto", "console", "json"] = "auto"
    """`auto`: readable on a terminal, JSON otherwise."""


def _off(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() == "off" else value


ReportAbsence = Annotated[
    Annotated[Duration, at_least(timedelta(minutes=2))] | None,
    BeforeValidator(_off, json_schema_input_type=Duration | Literal["off"] | None),
]
"""At least as long as two signs of life may lie apart; None for `off`."""

_members: Any = reduce(or_, (channel_type(kind) for kind in kinds()))
AnyChannel = Annotated[_members, Field(discriminator="kind")]

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
    alerts: dict[AlertName, DampingSettings] = Field(default_factory=dict)
    """Per alert type: `for` and `keep_firing_for`."""
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
    heartbeats: list[HeartbeatSettings] = Field(default_factory=list)
    """Signs of life, to dead man's switches and to channels."""
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
    def effective_rules(self) -> list[Rule]:
        """The rules, or what holds without any."""
        return self.rules or default_rules(self.channel_names)
