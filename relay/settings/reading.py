"""Reading the settings: from files and environment to something that can be run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from relay.config import Document, find, load
from relay.model.errors import ConfigError, Problem
from relay.render import ExpressionError, expression
from relay.settings.checks import HasTemplate, errors, warnings
from relay.settings.root import Settings
from relay.settings.shorthands import KNOWN, SHORTHANDS

DOTENV = Path(".env")


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

    def warnings(self, has_template: HasTemplate) -> tuple[Problem, ...]:
        """Return everything that is legal but hardly meant."""
        return (*self.unwise, *warnings(self.settings, self.document, has_template))


def read(option: Path | None, environ: Mapping[str, str], dotenv: Path | None = DOTENV) -> Configuration:
    """Read the settings from the file (see ``relay.config.find``), ``.env`` and the environment.

    Raises ConfigError with everything that is wrong.
    """
    path = find(option, environ)
    loaded = load(Settings, path=path, environ=environ, dotenv=dotenv, shorthands=SHORTHANDS, known=KNOWN)
    found = tuple(errors(loaded.settings, loaded.document, _check_when))
    if found:
        raise ConfigError(*found)
    return Configuration(loaded.settings, loaded.document, path, loaded.warnings, dotenv)


def _check_when(source: str) -> None:
    try:
        expression(source)
    except ExpressionError as error:
        raise ValueError(str(error)) from None
