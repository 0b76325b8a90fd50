"""Makes docs/reference/channels.md: what stands between its marks comes from the models.

``python -m relay.channels.reference`` writes it into the checkout's docs; a test keeps it fresh.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from relay.channels import Channel, channel_type
from relay.channels.over_http import HttpChannel
from relay.config.schema import json_schema
from relay.config.shape import shape

CHANNELS: Final = Path("docs/reference/channels.md")

_MARKED: Final = re.compile(r"(<!-- options: ([\w.]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEAD: Final = "| option | what it is | default |\n| --- | --- | --- |\n"
_FILE: Final = "_file"


def written(page: str) -> str:
    """The page with its tables made anew.

    A mark names `all`, `http`, a kind, or a kind and one of its fields; ConfigError for an unknown kind.
    """
    return _MARKED.sub(lambda found: f"{found[1]}{_table(found[2])}{found[3]}", page)


def _table(mark: str) -> str:
    return _HEAD + "".join(_rows(*_models(mark)))


def _models(mark: str) -> tuple[type[BaseModel], type[BaseModel]]:
    """The model of a mark, and the one whose options stand in another table."""
    kind, _, field = mark.partition(".")
    if kind == "all":
        return Channel, BaseModel
    if kind == "http":
        return HttpChannel, Channel
    model = channel_type(kind)
    if field:
        return shape(model.model_fields[field].annotation)[0], BaseModel
    return model, HttpChannel if issubclass(model, HttpChannel) else Channel


def _rows(model: type[BaseModel], elsewhere: type[BaseModel]) -> Iterator[str]:
    schema = json_schema(model, "")
    # In the schema a secret is never required, for it may come from a file.
    required = {field.alias or name for name, field in model.model_fields.items() if field.is_required()}
    known = json_schema(elsewhere, "")["properties"] if issubclass(elsewhere, Channel) else {}
    for option, about in schema["properties"].items():
        of_a_file = option.endswith(_FILE) and option.removesuffix(_FILE) in schema["properties"]
        if option == "kind" or of_a_file or about == known.get(option):
            continue
        default = "**required**" if option in required else _default(about)
        meaning = about["description"].replace("|", "\\|")
        yield f"| `{option}` | {meaning} | {default} |\n"


def _default(about: dict[str, Any]) -> str:
    match about.get("default"):
        case {"schedule": schedule}:
            return f"`schedule`: {' '.join(schedule)}"
        case None | [] | {}:
            return ""
        case list(values):
            return f"`[{', '.join(values)}]`"
        case str(text):
            return f"`{text}`"
        case value:
            return f"`{json.dumps(value)}`"


if __name__ == "__main__":
    CHANNELS.write_text(written(CHANNELS.read_text(encoding="utf-8")), encoding="utf-8")
