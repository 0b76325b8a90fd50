"""Reading the settings: from files and environment to something that can be run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from relay.config import Document, find, load
from relay.model.errors import Problem
from relay.render import ExpressionError, expression
from relay.settings.checks import HasTemplate, errors, warnings
from relay.settings.root import Settings
from relay.settings.shorthands import KNOWN, SHORTHANDS

DOTENV = Path(".env")

_TOKEN = 16
"""A part of a path that is so long may be a token."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings that can be used, and where each of them was written.

    ``path`` is the file, None where the environment alone configures; ``unwise`` are warnings about how
    it is written; ``dotenv`` is the file of variables, which need not exist.
    """

    settings: Settings
    document: Document
    path: Path | None
    unwise: tuple[Problem, ...]
    dotenv: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that, when they change, change the settings: a folder stands for what is in it."""
        found = (self.path, self.dotenv, self.settings.templates)
        return tuple(path for path in found if path is not None)

    def warnings(self, has_template: HasTemplate, now: datetime) -> tuple[Problem, ...]:
        """Return everything that is legal but hardly meant. ``now`` tells which time intervals are over."""
        return (*self.unwise, *warnings(self.settings, self.document, has_template, now))


def read(option: Path | None, environ: Mapping[str, str], dotenv: Path | None = DOTENV) -> Configuration:
    """Read the settings from the file (see ``relay.config.find``), ``.env`` and the environment.

    Raises ConfigError with everything that is wrong.
    """
    path = find(option, environ)
    loaded = load(
        Settings,
        path=path,
        environ=environ,
        dotenv=dotenv,
        shorthands=SHORTHANDS,
        known=KNOWN,
        across=lambda document: errors(document, _check_when),
    )
    open_secrets = tuple(each for each in loaded.warnings if not _is_harmless(each, loaded.settings))
    return Configuration(loaded.settings, loaded.document, path, open_secrets, dotenv)


def _is_harmless(warning: Problem, settings: Settings) -> bool:
    """Tell whether a warning is about a URL that could hold a secret, but holds none."""
    urls = {"store": settings.store.get_secret_value()}
    for channel in settings.destinations:
        url = getattr(channel, "url", None)
        if isinstance(url, SecretStr):
            urls[f"channels[{channel.name}].url"] = url.get_secret_value()
    for heartbeat in settings.heartbeats:
        if heartbeat.url is not None:
            urls[f"heartbeats[{heartbeat.name}].url"] = heartbeat.url.get_secret_value()
    return warning.key in urls and not _holds_a_secret(urls[warning.key])


def _holds_a_secret(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        return False
    return bool(parts.username or parts.query) or any(len(p) >= _TOKEN for p in parts.path.split("/"))


def _check_when(source: str) -> None:
    try:
        expression(source)
    except ExpressionError as error:
        raise ValueError(str(error)) from None
