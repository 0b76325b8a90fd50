"""The settings of a cluster."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    create_model,
    model_validator,
)

from relay.config import Duration, Section, at_least, at_most, off_or_mapping
from relay.engine.keeping import Keeping
from relay.http import Route
from relay.model.patterns import Patterns
from relay.model.urls import web_url
from relay.msr import Replica
from relay.render import RUNBOOK
from relay.watch import WATCHERS, Options
from relay.watch.trust import TrustOptions, TrustWatcher


def _check_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("must be a URL such as https://msr.example.com")
    if parts.username or parts.password:
        raise ValueError("must not hold a user or password: write them under username and password")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must end after the host: MSR's paths are known")
    return text.rstrip("/")


Url = Annotated[str, AfterValidator(_check_url)]


def _short_form(value: Any) -> Any:
    """Let ``ping: 10s`` stand for ``ping: {every: 10s}``, and ``ping: off`` turn the watcher off."""
    if isinstance(value, str):
        return None if value.strip().lower() == "off" else {"every": value}
    return value


def _watch_model() -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (
            Annotated[
                options | None, BeforeValidator(_short_form, json_schema_input_type=options | str | None)
            ],
            Field(default_factory=options, description=(options.__doc__ or "").strip()),
        )
        for name, (options, _) in WATCHERS.items()
    }
    doc = "The watchers: each an interval (10s), off, or its options."
    return create_model("WatchSettings", __base__=Section, __doc__=doc, **fields)


WatchSettings = _watch_model()


class MassDeletionSettings(Section):
    """When deletions of trust data are a mass deletion: then one alert lists them, `trust.mass_deletion`, and
    those that come while it fires are not told by themselves."""

    count: int = Field(default=5, ge=2, le=100)
    """From so many deletions on. Those before are told by themselves, at once, as always."""
    within: Annotated[Duration, at_least(timedelta(seconds=1)), at_most(timedelta(days=1))] = timedelta(
        minutes=10
    )
    """The time within which they happened; and it is over when for so long no further one was seen."""
    per: Literal["cluster", "namespace"] = "cluster"
    """Whether the deletions of the whole cluster are counted together, or those of each namespace."""
    update: Annotated[Duration, at_least(timedelta(seconds=1)), at_most(timedelta(days=1))] = timedelta(
        minutes=5
    )
    """How long after it was told it is told again, if there were further ones."""


class ClusterSettings(Section):
    """One MSR installation."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^/\s]+$")]
    """What rules and messages call it."""
    url: Url | None = None
    """Its URL; there may be a load balancer behind it. Default: the first replica."""
    replicas: list[Url] = Field(default_factory=list)
    """One URL per replica: each is then asked by itself."""
    registry_host: str = ""
    """The host[:port] in the names under which trust data is signed. Default: that of the URL."""
    username: str = ""
    """A user; an administrator sees everything, others only `repositories`."""
    password: SecretStr = SecretStr("")
    """The user's password, or better an access token. Also as `password_file`."""
    ca_file: Path | None = None
    """PEM file of the CA that signed MSR's certificate. Default: the system's CAs."""
    client_cert: Path | None = None
    """PEM file of a client certificate."""
    client_key: Path | None = None
    """PEM file of its key, if that is not in the same file."""
    verify: bool = True
    """`false` accepts any certificate: unsafe, the password can be stolen."""
    proxy: SecretStr | None = None
    """URL of an HTTP proxy."""
    timeout: Duration = timedelta(seconds=10)
    """How long one answer may take."""
    repositories: list[Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+$")]] = Field(default_factory=list)
    """namespace/name of each repository whose changefeed is read. Empty: all; that needs an administrator."""
    watch: WatchSettings = Field(default_factory=WatchSettings)  # type: ignore[valid-type]
    """The watchers: each an interval (10s), off, or its options."""
    failures: int = Field(default=3, ge=1, le=1000)
    """How many looks in a row must fail before something counts as unreadable."""
    change_windows: list[str] = Field(default_factory=list)
    """Names of `time_intervals` in which deletions are expected: each says whether it was outside of them."""
    mass_deletion: Annotated[
        MassDeletionSettings | None,
        BeforeValidator(
            off_or_mapping("{count: 5, within: 10m}"),
            json_schema_input_type=MassDeletionSettings | Literal["off"] | None,
        ),
    ] = MassDeletionSettings()
    """When deletions are told by one alert that lists them: by default from the 5th within 10m on; `off`:
    never."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels that every event of the cluster gets, for rules and templates."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Texts that every event of the cluster gets, for templates."""
    runbook_url: Annotated[str, AfterValidator(web_url)] | None = None
    """Where it is written what to do: a link in messages. Events get it as the annotation `runbook_url`."""

    @model_validator(mode="after")
    def _has_a_url(self) -> "ClusterSettings":
        if self.url is None and not self.replicas:
            raise ValueError("needs a url, or a list of replicas")
        return self

    @property
    def notes(self) -> dict[str, str]:
        """The annotations that its events get, its runbook among them."""
        runbook = {} if self.runbook_url is None else {RUNBOOK: self.runbook_url}
        return self.annotations | runbook

    @property
    def entry(self) -> str:
        """The URL for what is asked of the whole cluster."""
        return self.url or self.replicas[0]

    @property
    def host(self) -> str:
        """The host in the names under which trust data is signed."""
        return self.registry_host or urlsplit(self.entry).netloc

    @property
    def each_replica(self) -> bool:
        """Whether every URL is one replica's own."""
        return bool(self.replicas)

    def members(self) -> tuple[Replica, ...]:
        """Return the replicas to ask; without a list, what the one URL leads to counts as one."""
        return tuple(Replica(urlsplit(url).netloc, url) for url in self.replicas or [self.entry])

    def route(self) -> Route:
        """Return how to get there. MSR usually lives at a private address, so those are allowed."""
        return Route(self.ca_file, self.client_cert, self.client_key, self.verify, self.proxy, True)

    def keeping(self) -> Keeping | None:
        """Return which trust data is examined, None if none is."""
        options = self.watchers().get(TrustWatcher.NAME)
        if not isinstance(options, TrustOptions):
            return None
        return Keeping(Patterns(options.keep, "/"), options.patience)

    def watchers(self) -> dict[str, Options]:
        """Return the options of the watchers that are on, by name."""
        found = ((name, getattr(self.watch, name)) for name in WATCHERS)
        return {name: options for name, options in found if options is not None}
