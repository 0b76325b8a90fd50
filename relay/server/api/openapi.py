"""The OpenAPI 3.1 document of the API, made of the same models that check requests."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import relay
from relay.model.access import Scope
from relay.server.api.handler import ROOT
from relay.server.api.idempotency import HEADER
from relay.server.api.operation import Nothing, Operation
from relay.server.api.problems import CONTENT_TYPE, Problem

_REF: Final = "#/components/schemas/{model}"
_ALWAYS: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
_PARAMETER: Final = re.compile(r"\{(\w+)(?::[^}]*)?\}")
_ABOUT: Final = """Everything that the pages show and the commands do, for programs.

Lists come in pages: `next` of one page is the `cursor` of the next; null is the end. A GET answers 304 to the
`ETag` that it gave before. A write that bears an `Idempotency-Key` is done once, however often it is sent
within a day. Errors are `application/problem+json` (RFC 9457)."""


def document(operations: Sequence[Operation], public_url: str | None = None) -> dict[str, Any]:
    """Return the document. ``public_url`` is where the API is reached."""
    models: list[tuple[type[BaseModel], Any]] = [(Problem, "serialization")]
    for each in operations:
        models += [] if each.answer is None else [(each.answer, "serialization")]
        models += [] if each.body is None else [(each.body, "validation")]
    names, schemas = models_json_schema(list(dict.fromkeys(models)), ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.shown, {})[each.method.lower()] = _operation(each, names)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "MSR Relay",
            "version": relay.__version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": (public_url or "") + ROOT}],
        "security": [{"token": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(each.tag for each in operations)],
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`msr-relay token create NAME` makes one. "
                    + "; ".join(f"{scope}: {meaning}" for scope, meaning in _SCOPES.items()),
                }
            },
        },
    }


_SCOPES: Final[Mapping[Scope, str]] = {
    Scope.READ: "look at everything",
    Scope.OPERATE: "silence, acknowledge, replay, test, disable too",
    Scope.ADMIN: "make and revoke tokens too",
}


def _operation(operation: Operation, names: Mapping[Any, Any]) -> dict[str, Any]:
    summary, more = operation.texts
    said = f"{more}\n\nScope: `{operation.scope}`.".strip()
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": summary.rstrip("."),
        "description": said,
        "tags": [operation.tag],
        "parameters": [*_path(operation), *_query(operation), *_headers(operation)],
        "responses": _responses(operation, names),
    }
    if operation.body is not None:
        schema = names[(operation.body, "validation")]
        required = any(field.is_required() for field in operation.body.model_fields.values())
        found["requestBody"] = {"required": required, "content": {"application/json": {"schema": schema}}}
    return found


def _path(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": operation.path_texts.get(name, ""),
            "schema": {"type": "string", "minLength": 1},
        }
        for name in _PARAMETER.findall(operation.path)
    ]


def _query(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is Nothing:
        return []
    schema = operation.query.model_json_schema()
    definitions = schema.get("$defs", {})
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": each.pop("description", ""),
            "schema": _inlined({key: value for key, value in each.items() if key != "title"}, definitions),
        }
        for name, each in schema.get("properties", {}).items()
    ]


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a parameter's schema without references, which would point to nowhere, and without null."""
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _inlined({**target, **rest}, definitions)
    found = {key: _inlined(value, definitions) for key, value in schema.items()}
    kinds = [each for each in found.get("anyOf", ()) if each != {"type": "null"}]
    if "anyOf" in found and len(kinds) == 1:
        # A parameter that is left out is null; one that is there never is.
        rest = {key: value for key, value in found.items() if key not in ("anyOf", "default")}
        return {**kinds[0], **rest}
    return found


def _headers(operation: Operation) -> list[dict[str, Any]]:
    if not operation.writes or operation.secret:
        return []
    said = "the same key with the same request is done once, and answered alike"
    schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
    return [{"name": HEADER, "in": "header", "required": False, "description": said, "schema": schema}]


def _responses(operation: Operation, names: Mapping[Any, Any]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": HTTPStatus(operation.status).phrase}
    if operation.answer is not None:
        done["content"] = {"application/json": {"schema": names[(operation.answer, "serialization")]}}
    known: dict[str, Any] = {}
    if operation.method == "GET":
        known = {"304": {"description": "as the client has it already, by its `If-None-Match`"}}
        done["headers"] = {"ETag": {"description": "of this answer", "schema": {"type": "string"}}}
    statuses = {*_ALWAYS, *operation.refusals, HTTPStatus.SERVICE_UNAVAILABLE}
    if operation.method == "GET":
        statuses |= {HTTPStatus.UNPROCESSABLE_ENTITY}
    else:
        statuses |= {
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.CONFLICT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
        }
    problem = names[(Problem, "serialization")]
    refused = {
        str(int(status)): {
            "description": status.phrase,
            "content": {CONTENT_TYPE: {"schema": problem}},
        }
        for status in sorted(statuses)
    }
    return {str(int(operation.status)): done, **known, **refused}
