"""Who may do what with a running relay."""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

SECRET_PREFIX: Final = "msr_"  # noqa: S105 - it is no secret
"""What every secret of ours begins with, so that scanners of code and logs find one that has leaked."""
_SECRET_BYTES: Final = 32
_SECRET: Final = re.compile(r"msr_[A-Za-z0-9_-]{43}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@ -]{0,62}[A-Za-z0-9]|[A-Za-z0-9]")

SETTINGS_TOKEN: Final = "server.api_token"  # noqa: S105 - it is no secret
"""The name of the token that stands in the settings."""
LOCAL: Final = "local"
"""The name of whoever is let in without saying who it is."""
PROXY: Final = " (proxy)"
"""What the name of somebody ends in whom a proxy let in; no token's name can."""


class Scope(StrEnum):
    """What somebody may do; each includes those before it."""

    READ = "read"
    """Look at everything."""
    OPERATE = "operate"
    """Silence, acknowledge, replay, test, pause a channel."""
    ADMIN = "admin"
    """Make and revoke tokens."""

    def includes(self, other: "Scope") -> bool:
        """Tell whether who has this scope may do what another one is for."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


class Via(StrEnum):
    """How somebody was let in."""

    TOKEN = "token"  # noqa: S105 - it is no secret
    """By a token in the header ``Authorization``."""
    SESSION = "session"
    """By a cookie, which was given for a token."""
    PROXY = "proxy"
    """By a proxy that is trusted."""
    LOCAL = "local"
    """By nothing: the settings let anybody in."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token by which somebody is let in. ``used_at`` is kept to the hour or so."""

    id: str
    name: str
    scope: Scope
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None

    def valid(self, now: datetime) -> bool:
        """Tell whether it lets somebody in."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sent a request. ``name`` goes into the journal."""

    name: str
    scope: Scope
    via: Via


def new_secret(random_bytes: Callable[[int], bytes]) -> str:
    """Return the secret of a new token: 256 random bits, in characters of RFC 6750.

    ``random_bytes`` must be fit for keys, as ``secrets.token_bytes`` is.
    """
    made = base64.urlsafe_b64encode(random_bytes(_SECRET_BYTES)).decode().rstrip("=")
    return SECRET_PREFIX + made


def looks_like_secret(text: str) -> bool:
    """Tell whether a text has the shape of what ``new_secret`` returns."""
    return _SECRET.fullmatch(text) is not None


def secret_hash(secret: str) -> str:
    """Return what is kept of a secret: its SHA-256. That is enough where nobody can guess 256 random bits."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def check_token_name(name: str) -> str:
    """Return the name. Raises ValueError for one that cannot be a token's."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            "must be 1 to 64 letters, digits, blanks and . _ @ -, with a letter or digit at both ends"
        )
    if name.lower() in (SETTINGS_TOKEN, LOCAL):
        raise ValueError(
            f"must not be {name}: that stands for somebody who comes without a token of the store"
        )
    return name
