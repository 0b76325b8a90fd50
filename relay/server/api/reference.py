"""Makes docs/reference/api.md and the OpenAPI document in docs/schemas out of the operations.

``python -m relay.server.api.reference`` writes them into the checkout's docs; a test keeps them fresh.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from relay.server.api import OPERATIONS, openapi

PAGE: Final = Path("docs/reference/api.md")
SCHEMA: Final = Path("docs/schemas/openapi.json")

_MARKED: Final = re.compile(r"(<!-- operations -->\n).*?(<!-- end -->)", re.DOTALL)


def written(page: str) -> str:
    """Return the page with its tables made anew."""
    return _MARKED.sub(lambda found: f"{found[1]}{''.join(_tables())}{found[2]}", page)


def schema() -> str:
    """Return the OpenAPI document as it is published."""
    return json.dumps(openapi.document(OPERATIONS), indent=2, ensure_ascii=False) + "\n"


def _tables() -> Iterator[str]:
    for tag in dict.fromkeys(each.tag for each in OPERATIONS):
        yield f"\n### {tag.capitalize()}\n\n| operation | what it does | scope |\n| --- | --- | --- |\n"
        for each in OPERATIONS:
            if each.tag == tag:
                summary = " ".join(" ".join(each.texts).split())
                yield f"| `{each.method} {each.shown}` | {summary} | {each.scope} |\n"
    yield "\n"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")
