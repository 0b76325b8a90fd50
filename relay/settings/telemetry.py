"""Where traces go."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from relay.config import Section


def _check_endpoint(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("must be a URL such as http://127.0.0.1:4318")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must not hold a user, password or query: a secret belongs into otlp_headers")
    return text


class TelemetrySettings(Section):
    """Traces, by OpenTelemetry: from the look that saw an event to each attempt to tell it."""

    otlp_endpoint: Annotated[str, AfterValidator(_check_endpoint)] | None = None
    """URL of a receiver of OTLP over HTTP, such as http://127.0.0.1:4318; `/v1/traces` is added where it is
    missing. None: nothing is traced. Needs `pip install 'msr-relay[otel]'`."""
    otlp_headers: Mapping[str, SecretStr] = Field(default_factory=dict)
    """Headers to send there, such as `Authorization`. Their values are treated as secrets."""
