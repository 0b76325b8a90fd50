"""The settings of heartbeats."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from relay.channels.over_http import http_url
from relay.config import Duration, Section, at_least
from relay.engine.heartbeat import Greeting, Switch
from relay.engine.intervals import Zone
from relay.engine.schedule import Schedule, check_schedule
from relay.http import Route

_OF_URL = ("method", "every", "ca_file", "proxy", "allow_private")
_OF_CHANNEL = ("schedule", "zone")


class HeartbeatSettings(Section):
    """A sign of life: pings to a dead man's switch (`url`), or messages to a channel on a schedule."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^/\s]+$")]
    """What messages call it."""
    url: Annotated[SecretStr, AfterValidator(http_url)] | None = None
    """A dead man's switch, such as healthchecks: pinged while the relay is well. Also as `url_file`."""
    method: Literal["GET", "POST"] = "GET"
    """How it is pinged."""
    every: Annotated[Duration, at_least(timedelta(seconds=10))] = timedelta(minutes=1)
    """How long from one ping to the next, at least 10s."""
    ca_file: Path | None = None
    """PEM file of the authorities to trust instead of the system's."""
    proxy: SecretStr | None = None
    """`http://[user:password@]host:port` of a proxy."""
    allow_private: bool = False
    """`true` allows a switch at a private, loopback or link-local address."""
    channel: str | None = None
    """The channel that is told, instead of a `url`."""
    schedule: Annotated[str, AfterValidator(check_schedule)] | None = None
    """When it is told: five fields as in cron, such as `0 8 * * MON-FRI`."""
    zone: Zone | None = None
    """The time zone of the schedule. Default: `timezone`."""

    @model_validator(mode="after")
    def _is_of_one_sort(self) -> "HeartbeatSettings":
        given = self.model_fields_set
        if (self.url is None) == (self.channel is None):
            raise ValueError("needs either a url, or a channel with a schedule")
        if self.channel is not None and self.schedule is None:
            raise ValueError("needs a schedule, such as 0 8 * * MON-FRI")
        sort, other, foreign = (
            ("channel", "url", _OF_URL) if self.url is None else ("url", "channel", _OF_CHANNEL)
        )
        stray = [key for key in foreign if key in given]
        if stray:
            raise ValueError(
                f"has {' and '.join(stray)}, which a heartbeat by {sort} does not: that goes with {other}"
            )
        return self

    def built(self, timezone: str) -> Switch | Greeting:
        """Return what is to be done; ``timezone`` is the zone of a schedule that names none."""
        if self.url is not None:
            route = Route(ca_file=self.ca_file, proxy=self.proxy, allow_private=self.allow_private)
            return Switch(self.name, self.url, self.method, self.every, route)
        return Greeting(self.name, self.channel or "", Schedule(self.schedule or "", self.zone or timezone))
