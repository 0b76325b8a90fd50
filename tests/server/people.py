"""People and programs who want to be let in."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from http.cookies import SimpleCookie
from typing import Any

from relay.engine.tokens import Tokens
from relay.model.access import Scope, new_secret, secret_hash
from relay.server.access.sessions import COOKIE
from relay.settings.server import ServerSettings
from tests.server.conftest import Site

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def configure(site: Site, **server: Any) -> None:
    """Give the listener other settings; nothing of the tests' own token is left."""
    site.api_token = None
    found = ServerSettings.model_validate(server)
    site.settings = site.settings.model_copy(update={"server": found})


def secret_of(name: str) -> str:
    """Return the secret of somebody's token, of the shape that all have."""
    return new_secret(lambda count: hashlib.sha256(name.encode()).digest()[:count])


async def token(
    site: Site, name: str, scope: Scope = Scope.OPERATE, expires_at: datetime | None = None
) -> str:
    """Make a token and return its secret."""
    secret = secret_of(name)
    operator = site.service().operator
    tokens = Tokens(site.store, site.clock, operator.source)
    await tokens.create(name, scope, secret_hash(secret), "root", expires_at)
    return secret


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@dataclass(frozen=True)
class LoggedIn:
    """A browser after logging in."""

    cookie: str
    form_token: str

    @property
    def reading(self) -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={self.cookie}"}

    @property
    def writing(self) -> dict[str, str]:
        return {**self.reading, "X-CSRF-Token": self.form_token}


async def log_in(site: Site, secret: str) -> LoggedIn:
    """Log in as the form does."""
    body = {"token": secret, "next": "/api"}
    async with site.session.post("/login", data=body, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/api")
        return logged_in(site, answer.headers["Set-Cookie"])


def logged_in(site: Site, set_cookie: str) -> LoggedIn:
    value = SimpleCookie(set_cookie)[COOKIE].value
    session = site.access.sessions.read(value, site.settings.server.session_expires)
    assert session is not None
    return LoggedIn(value, site.access.sessions.form_token(f"session\0{session.nonce}"))


async def status(site: Site, headers: dict[str, str], path: str = "/api/v1/silences") -> int:
    """Return how a request to read is answered."""
    async with site.session.get(path, headers=headers, allow_redirects=False) as answer:
        return answer.status


async def acknowledge(site: Site, headers: dict[str, str], about: str) -> tuple[int, str]:
    """Return how a write is answered."""
    async with site.session.post("/api/v1/acknowledge", json={"about": about}, headers=headers) as answer:
        return answer.status, await answer.text()
