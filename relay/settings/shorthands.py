"""Short variable names, for one cluster and one channel of each kind without any YAML."""

from relay.config import Shorthand

_CLUSTER = ("clusters", "msr")


def _channel(kind: str, *path: str) -> Shorthand:
    return Shorthand(("channels", kind, *path), {"kind": kind})


SHORTHANDS: dict[str, Shorthand] = {
    "RELAY_MSR_URL": Shorthand((*_CLUSTER, "url")),
    "RELAY_MSR_REPLICAS": Shorthand((*_CLUSTER, "replicas")),
    "RELAY_MSR_USERNAME": Shorthand((*_CLUSTER, "username")),
    "RELAY_MSR_PASSWORD": Shorthand((*_CLUSTER, "password")),
    "RELAY_MSR_CA_FILE": Shorthand((*_CLUSTER, "ca_file")),
    "RELAY_MSR_VERIFY": Shorthand((*_CLUSTER, "verify")),
    "RELAY_MSR_REPOSITORIES": Shorthand((*_CLUSTER, "repositories")),
    "RELAY_MSR_REGISTRY_HOST": Shorthand((*_CLUSTER, "registry_host")),
    "RELAY_SLACK_WEBHOOK_URL": _channel("slack", "webhook_url"),
    "RELAY_SLACK_TOKEN": _channel("slack", "token"),
    "RELAY_SLACK_CHANNEL": _channel("slack", "channel"),
    "RELAY_WEBHOOK_URL": _channel("webhook", "url"),
    "RELAY_WEBHOOK_SECRET": _channel("webhook", "secrets"),
    "RELAY_EMAIL_FROM": _channel("email", "from"),
    "RELAY_EMAIL_TO": _channel("email", "to"),
    "RELAY_SMTP_HOST": _channel("email", "smtp", "host"),
    "RELAY_SMTP_PORT": _channel("email", "smtp", "port"),
    "RELAY_SMTP_TLS": _channel("email", "smtp", "tls"),
    "RELAY_SMTP_USERNAME": _channel("email", "smtp", "username"),
    "RELAY_SMTP_PASSWORD": _channel("email", "smtp", "password"),
    "RELAY_APPRISE_URLS": _channel("apprise", "urls"),
}
"""What each short name stands for. The cluster is called msr, each channel after its kind."""

KNOWN = ("RELAY_CONFIG", "RELAY_STOP_AT")
"""RELAY_ variables that are not settings: the configuration file, and the stop points of crash tests."""
