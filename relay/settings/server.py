"""The settings of the HTTP listener: where it listens, and who may."""

import ipaddress
import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from relay.config import Duration, Section, at_least
from relay.model.access import Scope
from relay.settings.cluster import Url

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What a bearer token may be (RFC 6750, 2.1)."""
_TOKEN_LENGTH = 16
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
"""What a header's name may be (RFC 9110, 5.1)."""


def _check_listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be host:port, such as 127.0.0.1:8080")
    return text


def _check_token(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if len(text) < _TOKEN_LENGTH:
        raise ValueError(
            f"must have at least {_TOKEN_LENGTH} characters: openssl rand -hex 32 makes a good one"
        )
    if not _TOKEN.fullmatch(text):
        raise ValueError("may have letters, digits and . _ ~ + / - only")
    return token


def _check_lasts(duration: timedelta) -> timedelta:
    if duration <= timedelta(0):
        raise ValueError("must be more than 0s")
    return duration


def _check_network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(
            "must be an IP address or a network, such as 10.0.0.7 or 10.0.0.0/24 (without host bits)"
        ) from None
    if network.prefixlen == 0:
        raise ValueError("would let anybody say who they are: give the proxy's own address")
    return text


def _check_header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise ValueError("must be a header's name, such as X-Forwarded-User")
    return name


def _off(value: object) -> object:
    # YAML 1.1 reads a bare off as false.
    return "off" if value is False else value


Addresses = Annotated[list[Annotated[str, AfterValidator(_check_network)]], Field(min_length=1)]
Header = Annotated[str, AfterValidator(_check_header)]


class TrustedProxySettings(Section):
    """A proxy in front that has checked who somebody is, and tells it in a header."""

    addresses: Addresses
    """IP addresses or networks from which the proxy connects. Elsewhere the header is ignored."""
    user_header: Header = "X-Forwarded-User"
    """The header that holds the user's name. The proxy must not pass on one that a client sends."""
    scope: Scope = Scope.READ
    """What everybody may do whom the proxy lets pass: `read`, `operate` or `admin`."""
    groups_header: Header | None = None
    """The header that holds the user's groups, separated by commas."""
    groups: dict[str, Scope] = Field(default_factory=dict)
    """What members of a group may do, where that is more than `scope`."""

    @property
    def networks(self) -> list[Network]:
        """The addresses, as networks."""
        return [ipaddress.ip_network(each) for each in self.addresses]

    @model_validator(mode="after")
    def _has_groups(self) -> "TrustedProxySettings":
        if self.groups and self.groups_header is None:
            raise ValueError("groups counts for nothing without groups_header: add groups_header, or drop it")
        return self


class MetricsSettings(Section):
    """What Prometheus reads at `/metrics`: counts and measurements, with the names that are configured."""

    public: bool | None = None
    """Whether everybody may read them who reaches `listen`. Without a word: who comes from this machine, as
    long as there is no `public_url` and no `trusted_proxy`; all others with a token. `false`: only with a
    token."""


class ServerSettings(Section):
    """The HTTP listener."""

    listen: Annotated[str, AfterValidator(_check_listen)] = "127.0.0.1:8080"
    """host:port for health, pages and the API. Elsewhere than on loopback it needs somebody who can log in:
    see `insecure`."""
    public_url: Url | None = None
    """The URL by which people reach it; without one, messages carry no links."""
    link_expires: Annotated[Duration, AfterValidator(_check_lasts)] = timedelta(days=3)
    """How long the links in messages, by which anybody can acknowledge, may be used."""
    api_token: Annotated[SecretStr, AfterValidator(_check_token)] | None = None
    """A token of scope admin, beside those that `msr-relay token create` makes; at least 16 characters."""
    metrics: MetricsSettings = MetricsSettings()
    """Who may read the metrics."""
    session_expires: Annotated[Duration, at_least(timedelta(minutes=1))] = timedelta(hours=12)
    """How long somebody stays logged in."""
    trusted_proxy: TrustedProxySettings | None = None
    """A proxy that says who somebody is."""
    anonymous: Annotated[
        Literal["off", "read", "operate"] | None,
        BeforeValidator(_off, json_schema_input_type=Literal["off", "read", "operate"] | None),
    ] = None
    """What anybody may do without logging in. Default: `read` as long as it listens on loopback, has no
    `public_url`, no `api_token`, no `trusted_proxy`, and no token was ever made; otherwise `off`."""
    insecure: bool = False
    """`true` lets it listen elsewhere than on loopback though nobody can log in, and lets `anonymous` count
    there, together with `public_url`, and for what a proxy passes on."""

    @property
    def loopback(self) -> bool:
        """Tell whether it listens where only this machine gets."""
        return is_loopback(self.listen.rpartition(":")[0].strip("[]"))

    @model_validator(mode="after")
    def _lets_in_who_is_meant(self) -> "ServerSettings":
        if self.anonymous in ("read", "operate") and not self.loopback and not self.insecure:
            raise ValueError(
                f"anonymous: {self.anonymous} lets in everybody who reaches {self.listen}: drop it, listen "
                "on 127.0.0.1, or write insecure: true as well if that is meant"
            )
        if self.anonymous in ("read", "operate") and self.public_url is not None and not self.insecure:
            raise ValueError(
                f"anonymous: {self.anonymous} together with public_url lets in everybody who reaches "
                f"{self.public_url}: drop one of them, or write insecure: true as well if that is meant"
            )
        return self


def is_loopback(host: str) -> bool:
    """Tell whether a host, a name or an address, is this machine itself."""
    if host.lower() == "localhost":
        return True
    found = address(host)
    return found is not None and found.is_loopback


def address(host: str) -> Address | None:
    """Return an IP address, that of IPv4 for one in the clothes of IPv6; None for what is no address."""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return found if mapped is None else mapped
