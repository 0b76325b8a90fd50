"""Environment variables with their origins: the process's and those of a `.env` file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Final

from dotenv.parser import Binding, parse_stream

from relay.config.tree import Layer, Origin
from relay.model.errors import ConfigError, Problem

MAX_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable and where it was set; its value may be a secret."""

    name: str
    value: str = field(repr=False)
    origin: Origin


def from_environ(environ: Mapping[str, str]) -> dict[str, Variable]:
    """The variables of the process's environment."""
    return {name: Variable(name, value, Origin(Layer.ENVIRONMENT, name)) for name, value in environ.items()}


def from_dotenv(path: Path) -> dict[str, Variable]:
    """The variables of a `.env` file, the last of a name counting; nothing in it is interpolated.

    A file that does not exist holds none. Raises ConfigError for one that cannot be read, with all its lines
    that are not `NAME=value`.
    """
    name = path.name
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(Problem(str(path), "", f"cannot be read: {error.strerror}")) from None
    except UnicodeDecodeError:
        raise ConfigError(Problem(str(path), "", "is not UTF-8", "save the file as UTF-8")) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(Problem(str(path), "", f"is larger than {MAX_BYTES // 1024 // 1024} MiB"))
    variables, problems = {}, []
    for binding in parse_stream(StringIO(text)):
        origin = Origin(Layer.DOTENV, name, _line(binding))
        if binding.error or (binding.key is not None and binding.value is None):
            problems.append(Problem(str(origin), "", "is not NAME=value", "put # before a comment"))
        elif binding.key is not None and binding.value is not None:
            variables[binding.key] = Variable(binding.key, binding.value, origin)
    if problems:
        raise ConfigError(*problems)
    return variables


def merged(*layers: Mapping[str, Variable]) -> Mapping[str, str]:
    """The values by name; a later layer wins."""
    return {name: variable.value for layer in layers for name, variable in layer.items()}


def _line(binding: Binding) -> int:
    # The parser counts the blank lines before a binding as its part.
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
