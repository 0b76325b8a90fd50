"""Makes docs/reference/{cli,configuration}.md, the schema of relay.yaml and .env.example out of the code.

``python -m relay.cli.reference`` writes them into the checkout; a test keeps them fresh.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import typer.main
from pydantic import AwareDatetime, BaseModel
from pydantic_core import PydanticUndefined

from relay.cli.scaffold import ENV_EXAMPLE
from relay.config import format_duration, json_schema
from relay.config import shape as shapes
from relay.settings import Settings
from relay.settings.shorthands import SHORTHANDS

SCHEMA: Final = Path("docs/schemas/relay.schema.json")
CONFIGURATION: Final = Path("docs/reference/configuration.md")
CLI: Final = Path("docs/reference/cli.md")
EXAMPLE: Final = Path(".env.example")

_MADE: Final = "Made from the code (`make schema`): do not edit."
_ELSEWHERE: Final = {"channels": "See [channels](channels.md): every kind has options of its own."}
_PLACES: Final = """\
## Where it comes from

`relay.yaml` is looked for in this order: `--config`, `$RELAY_CONFIG`, `./relay.yaml`,
`/etc/msr-relay/relay.yaml`. Without one the environment alone configures.

A value counts from the first of these that has it:

1. the environment,
2. `.env` in the working directory,
3. the file,
4. the default.

- **Any key** can be set by a variable: `RELAY_` and the way to it, with `__` in between, as in
  `RELAY_SERVER__LISTEN`. A member of a list goes by its name: `RELAY_CLUSTERS__PROD__PASSWORD`.
- **In the file**, `${NAME}` and `${NAME:-default}` stand for variables, `$${` for `${`. One that
  is not set is an error.
- **A secret** can be a file: `password_file: /run/secrets/msr`, or `RELAY_MSR_PASSWORD_FILE`.
- **Times** are written `500ms`, `30s`, `5m`, `2h`, `7d`, or `1h30m`.
- An unknown key is an error. The JSON Schema for editors is
  [relay.schema.json](../schemas/relay.schema.json); `msr-relay schema` prints it.
- A changed file, a changed `.env` and SIGHUP reload. A configuration that cannot be used is told, and
  the old one goes on.
"""


def schema_text() -> str:
    """Return the JSON Schema of relay.yaml."""
    return json.dumps(json_schema(Settings, "MSR Relay"), indent=2, ensure_ascii=False) + "\n"


def configuration_markdown() -> str:
    """Return the reference of every key."""
    parts = ["# Configuration", "", _MADE, "", _PLACES]
    parts += ["## Keys", "", *_table(Settings)]
    for title, model in _sections():
        doc = " ".join((model.__doc__ or "").split())
        parts += ["", f"## {title}", "", *([doc, ""] if doc else []), *_table(model)]
    parts += ["", "## Short variables", ""]
    parts.append("For one cluster, called `msr`, and one channel of each kind, called after its kind.")
    parts += ["", "| variable | stands for |", "|---|---|"]
    parts += [f"| `{name}` | `{'.'.join(short.path)}` |" for name, short in SHORTHANDS.items()]
    return "\n".join(parts) + "\n"


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    yield from _below(Settings, "")


def _below(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, info in shapes.fields(model).items():
        if name in _ELSEWHERE and not path:
            continue
        kinds = shapes.shape(info.annotation)
        ways = {"": shapes.models(kinds), "[]": shapes.models(shapes.items(kinds))}
        ways[".TYPE" if name == "alerts" else ".NAME"] = shapes.models(shapes.values(kinds))
        for suffix, models in ways.items():
            for found in models:
                yield f"{path}{name}{suffix}", found
                yield from _below(found, f"{path}{name}{suffix}.")


def _table(model: type[BaseModel]) -> Iterator[str]:
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, info in shapes.fields(model).items():
        meaning = " ".join((info.description or "").split())
        if model is Settings:
            meaning = " ".join(filter(None, (meaning, _ELSEWHERE.get(name))))
        default = (
            "**required**" if info.is_required() else _default(info.get_default(call_default_factory=True))
        )
        cells = (f"`{name}`", _type(info.annotation), default, meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(value: Any) -> str:
    if isinstance(value, timedelta):
        return f"`{format_duration(value)}`"
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if (
        value is None
        or value is PydanticUndefined
        or isinstance(value, BaseModel)
        or value in ("", [], {}, ())
    ):
        return ""
    return f"`{json.dumps(value)}`" if isinstance(value, bool | int | float) else f"`{value}`"


def _type(annotation: Any) -> str:
    kinds = shapes.shape(annotation)
    names = dict.fromkeys(filter(None, (_kind(kind) for kind in kinds)))
    return " or ".join(names)


_NAMES: Final[Mapping[Any, str]] = {
    AwareDatetime: "time",
    str: "text", int: "number", float: "number", bool: "true or false", timedelta: "duration", Path: "path",
}  # fmt: skip


def _kind(kind: Any) -> str:
    if words := shapes.words((kind,)):
        return ", ".join(f"`{word}`" for word in words)
    if members := shapes.items((kind,)):
        return f"list of {_plural(members)}"
    if shapes.values((kind,)):
        return "mapping"
    if shapes.is_secret((kind,)):
        return "secret"
    return _NAMES.get(kind, "mapping" if shapes.is_model(kind) else "text" if kind is Any else kind.__name__)


def _plural(kinds: Any) -> str:
    names = {"text": "texts", "mapping": "mappings", "secret": "secrets"}
    found = dict.fromkeys(_kind(kind) for kind in kinds)
    return " or ".join(names.get(name, name) for name in found)


def cli_markdown() -> str:
    """Return the reference of every command and option."""
    from relay.cli.commands import app

    root = typer.main.get_command(app)
    parts = ["# Commands", "", _MADE, "", "See also [exit codes](exit-codes.md).", ""]
    parts.append("Output is coloured on a terminal only, and not where `NO_COLOR` is set.")
    parts.append("The keys of `--json` stay. An id may be shortened to a beginning that no other has.")
    parts += _options(root)
    parts += _commands(root, "msr-relay")
    return "\n".join(parts) + "\n"


def _commands(group: Any, path: str) -> Iterator[str]:
    for name, command in getattr(group, "commands", {}).items():
        arguments = [_metavar(each) for each in _arguments(command)]
        yield from ("", f"## {' '.join((path, name, *arguments))}", "")
        yield command.help or ""
        yield from _options(command)
        yield from _commands(command, f"{path} {name}")


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _arguments(command: Any) -> list[Any]:
    return [each for each in command.params if each.param_type_name == "argument"]


def _options(command: Any) -> Iterator[str]:
    options = [each for each in command.params if each.param_type_name == "option"]
    if not options:
        return
    yield from ("", "| option | what it does | default |", "|---|---|---|")
    for option in options:
        default = option.default
        shown = "" if default in (None, False, "", []) or callable(default) else f"`{default}`"
        yield f"| {', '.join(f'`{name}`' for name in option.opts)} | {option.help} | {shown} |".replace(
            "TYPE|FILE", "TYPE or FILE"
        )


def pages(root: Path) -> dict[Path, str]:
    """Return every file that is made here, under the checkout ``root``, and what has to be in it."""
    return {
        root / SCHEMA: schema_text(),
        root / CONFIGURATION: configuration_markdown(),
        root / CLI: cli_markdown(),
        root / EXAMPLE: ENV_EXAMPLE,
    }


if __name__ == "__main__":
    for page, text in pages(Path.cwd()).items():
        page.write_text(text, encoding="utf-8")
