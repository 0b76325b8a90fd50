"""A model in the shape of the product's sample configuration, and that sample."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, Field, SecretStr, field_validator

from relay.config import Duration, Loaded, RootSettings, Section, Shorthand, Size, load


class Alert(StrEnum):
    ISSUE = "cluster.issue"
    PING = "ping.failing"


class Server(Section):
    listen: str = "127.0.0.1:8080"
    """Where to listen, host:port."""
    public_url: AnyHttpUrl | None = None


class Damping(Section):
    wait: Duration = Field(default="0s", alias="for", validate_default=True)  # type: ignore[arg-type]
    keep_firing_for: Duration = Field(default="0s", validate_default=True)  # type: ignore[arg-type]


class Time(Section):
    time: str


class Id(Section):
    id: str


class Changefeed(Section):
    every: Duration = Field(default="15s", validate_default=True)  # type: ignore[arg-type]
    start: Literal["newest", "beginning"] | Time | Id = "newest"
    page: int = Field(default=1000, ge=1, le=1000)
    overlap: Duration = Field(default="5m", validate_default=True)  # type: ignore[arg-type]


Off = Literal["off"]


class Watch(Section):
    ping: Duration | Off = "off"
    cluster_status: Duration | Off = "off"
    changefeed: (
        Annotated[Changefeed, BeforeValidator(lambda v: {"every": v} if isinstance(v, str) else v)] | Off
    ) = "off"


class Cluster(Section):
    name: str
    url: AnyHttpUrl | None = None
    replicas: list[AnyHttpUrl] = Field(default=[])
    username: str
    password: SecretStr = Field(min_length=1)
    ca_file: Path | None = None
    verify: bool = True
    repositories: list[str] = Field(default=[])
    watch: Watch = Watch()

    @field_validator("name")
    @classmethod
    def plain_name(cls, name: str) -> str:
        if name.startswith("-"):
            raise ValueError(f"{name!r} must not begin with a dash")
        return name


class Slack(Section):
    name: str
    kind: Literal["slack"]
    webhook_url: SecretStr


class Webhook(Section):
    name: str
    kind: Literal["webhook"]
    url: AnyHttpUrl
    secrets: list[SecretStr] = Field(default=[])
    headers: dict[str, SecretStr] = Field(default={})
    limit: Size = 20_000


class Smtp(Section):
    host: str
    port: int = 25
    tls: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None


class Email(Section):
    name: str
    kind: Literal["email"]
    smtp: Smtp
    sender: str = Field(alias="from")
    to: list[str]


class Phones(Section):
    name: str
    kind: Literal["apprise"]
    urls: list[SecretStr]


Channel = Annotated[Slack | Webhook | Email | Phones, Field(discriminator="kind")]


class Match(Section):
    type: str | list[str] | None = None
    severity: str | None = None
    repository: list[str] = Field(default=[])


class Rule(Section):
    name: str
    match: Match = Match()
    when: str | None = None
    channels: list[str]
    after: Duration | None = None
    stop: bool = False


def event_type(name: str) -> str:
    if "." not in name:
        raise ValueError(f"there is no event type {name}")
    return name


class Settings(RootSettings):
    """Everything."""

    store: str = "sqlite:///relay.db"
    server: Server = Server()
    alerts: dict[Alert, Damping] = Field(default={})
    clusters: list[Cluster] = Field(min_length=1)
    channels: list[Channel] = Field(default=[])
    rules: list[Rule] = Field(default=[])
    severities: dict[Annotated[str, AfterValidator(event_type)], str] = Field(default={})


SHORTHANDS = {
    "RELAY_MSR_URL": Shorthand(("clusters", "msr", "url")),
    "RELAY_MSR_USERNAME": Shorthand(("clusters", "msr", "username")),
    "RELAY_MSR_PASSWORD": Shorthand(("clusters", "msr", "password")),
    "RELAY_SLACK_WEBHOOK_URL": Shorthand(("channels", "slack", "webhook_url"), {"kind": "slack"}),
    "RELAY_EMAIL_TO": Shorthand(("channels", "email", "to"), {"kind": "email"}),
    "RELAY_EMAIL_FROM": Shorthand(("channels", "email", "from"), {"kind": "email"}),
    "RELAY_SMTP_HOST": Shorthand(("channels", "email", "smtp", "host"), {"kind": "email"}),
    "RELAY_SMTP_PASSWORD": Shorthand(("channels", "email", "smtp", "password"), {"kind": "email"}),
}
KNOWN = ("RELAY_CONFIG",)

VARIABLES = {
    "PROD_PASSWORD": "pa55-Word",
    "SLACK_WEBHOOK": "https://hooks.slack.example/T0/B0/s3cr3t",
    "SOC_SECRET": "whsec_c2VjcmV0",
    "SMTP_PASSWORD": "12345",
    "PUSHOVER_URL": "pover://user@token",
}

SAMPLE = """\
store: sqlite:///relay.db            # or postgresql://…
server: {listen: 127.0.0.1:8080, public_url: https://relay.example.com}
alerts:
  cluster.issue: {for: 30s, keep_firing_for: 1m}

clusters:
  - name: prod
    url: https://msr.example.com
    replicas: [https://msr-1.example.com, https://msr-2.example.com]
    username: relay
    password: ${PROD_PASSWORD}
    ca_file: /etc/ssl/msr-ca.pem
    repositories: []
    watch:
      ping: 10s
      cluster_status: off
      changefeed: {every: 15s, start: newest, page: 1000, overlap: 5m}

channels:
  - {name: security, kind: slack, webhook_url: "${SLACK_WEBHOOK}"}
  - {name: soc, kind: webhook, url: https://soc.example.com/hooks/msr, secrets: ["${SOC_SECRET}"]}
  - name: oncall
    kind: email
    smtp: {host: smtp.example.com, port: 587, tls: starttls, username: relay, password: "${SMTP_PASSWORD}"}
    from: MSR Relay <relay@example.com>
    to: [oncall@example.com]
  - {name: phones, kind: apprise, urls: ["${PUSHOVER_URL}"]}

rules:
  - name: trust deletions
    match: {type: trust.deleted, repository: ["prod/**", "!prod/scratch-*"]}
    channels: [security, soc, oncall]
  - name: critical
    match: {severity: ">= critical"}
    when: "cluster != 'lab'"
    channels: [security, phones]
    after: 30s
"""


def write(folder: Path, text: str, name: str = "relay.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def loaded(
    path: Path | None, environ: dict[str, str] | None = None, dotenv: Path | None = None
) -> Loaded[Settings]:
    return load(
        Settings,
        path=path,
        environ=VARIABLES if environ is None else environ,
        dotenv=dotenv,
        shorthands=SHORTHANDS,
        known=KNOWN,
    )
