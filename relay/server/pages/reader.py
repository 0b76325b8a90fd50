"""``/api``: the OpenAPI document for people to read. It needs no JavaScript."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from relay.server.api import OPERATIONS, ROOT, openapi
from relay.server.pages.base import Visitor, page
from relay.server.service import Service

PATH: Final = "/api"
_DEEPEST: Final = 6


@dataclass(frozen=True, slots=True)
class Line:
    """One field of a schema: its name with those that it is in, its type in words, and what it means."""

    name: str
    kind: str
    required: bool
    text: str


def routes(service: Callable[[], Service]) -> list[web.RouteDef]:
    """Return what is to be routed here."""
    return [web.get(PATH, page(service, show))]


async def show(visitor: Visitor) -> web.Response:
    """Show everything that the API does."""
    document = openapi.document(OPERATIONS, visitor.service.settings.server.public_url)
    return visitor.page("api", document=document, tags=list(_tags(document)), root=ROOT)


def _tags(document: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    schemas = document["components"]["schemas"]
    for tag in (each["name"] for each in document["tags"]):
        found = [
            _shown(method, path, each, schemas)
            for path, methods in document["paths"].items()
            for method, each in methods.items()
            if tag in each["tags"]
        ]
        yield tag, found


def _shown(
    method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    status, answer = next(iter(operation["responses"].items()))
    schema = answer.get("content", {}).get("application/json", {}).get("schema")
    return {
        "method": method.upper(),
        "path": path,
        "id": operation["operationId"],
        "summary": operation["summary"],
        "description": operation["description"],
        "parameters": [
            Line(
                each["name"],
                f"{each['in']}: {kind(each['schema'], schemas)}",
                each["required"],
                each["description"],
            )
            for each in operation["parameters"]
        ],
        "body": list(lines(body, schemas)) if body else [],
        "status": status,
        "answer": list(lines(schema, schemas)) if schema else [],
    }


def lines(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], before: str = "", deep: int = 0
) -> Iterator[Line]:
    """Yield the fields of a schema, those of its parts below them."""
    schema = _resolved(schema, schemas)
    required = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        text = each.get("description") or _resolved(each, schemas).get("description", "")
        yield Line(before + name, kind(each, schemas), name in required, text)
        inner = _part(each, schemas)
        if inner is not None and deep < _DEEPEST:
            many = "[]" if "items" in _resolved(each, schemas) else ""
            yield from lines(inner, schemas, f"{before}{name}{many}.", deep + 1)


def _part(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema of what has fields of its own: an object, or the members of a list of such."""
    found = _resolved(schema, schemas)
    found = _resolved(found.get("items", found), schemas)
    return found if found.get("properties") else None


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    while True:
        options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        elif len(options) == 1:
            schema = options[0]
        else:
            return schema


def kind(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """Return the type of a value in words."""
    options = schema.get("anyOf")
    if options:
        return " or ".join(dict.fromkeys(kind(each, schemas) for each in options))
    found = _resolved(schema, schemas)
    if "enum" in found:
        return ", ".join(map(json.dumps, found["enum"]))
    if "const" in found:
        return json.dumps(found["const"])
    if "items" in found:
        return f"list of {kind(found['items'], schemas)}"
    words = found.get("format") or found.get("type") or "anything"
    return {"date-time": "time", "null": "null", "object": "object"}.get(words, str(words))
