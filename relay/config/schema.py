"""The JSON Schema of a settings model, for editors that complete and check the YAML file.

It describes what may be *written*, which is wider than what a model takes: any value may be a `${VAR}`, and a
secret may be given as a file.
"""

from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from relay.config.durations import format_duration, format_size
from relay.config.shape import FILE

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_REFERENCE: Final = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"}
_ABOUT: Final = ("title", "description", "default", "examples", "deprecated")
_SCALARS: Final = frozenset(("string", "integer", "number", "boolean"))
# What makes a string schema refuse a reference.
_NARROW: Final = frozenset(("enum", "pattern", "format", "minLength", "maxLength"))


def json_schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    """The schema (draft 2020-12) of a file that `model` is loaded from."""
    schema = _written(model.model_json_schema(by_alias=True, mode="validation", schema_generator=_Generator))
    return {"$schema": DIALECT, **schema, "title": title}


class _Generator(GenerateJsonSchema):
    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A setting with its default; the only number that is written as text is a size."""
        result = super().default_schema(schema)
        if result.get("type") == "string" and isinstance(result.get("default"), int):
            result["default"] = format_size(result["default"])
        return result

    def encode_default(self, dft: Any) -> Any:
        """A default as it would be written."""
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def _written(schema: Any) -> Any:
    """A schema of a model's value turned into the schema of what may be written for it."""
    if not isinstance(schema, dict):
        return schema
    result = dict(schema)
    _add_secret_files(result)
    for key in ("properties", "$defs", "patternProperties"):
        if key in result:
            result[key] = {name: _written(part) for name, part in result[key].items()}
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if key in result:
            result[key] = [_written(part) for part in result[key]]
    for key in ("items", "additionalProperties"):
        if key in result:
            result[key] = _written(result[key])
    result.pop("discriminator", None)
    if result.get("format") == "password":
        del result["format"]
        result.pop("writeOnly", None)
    return _or_reference(result)


def _or_reference(schema: dict[str, Any]) -> dict[str, Any]:
    # A constant tells the members of a union apart: with a reference in its place all of them would fit.
    if schema.get("type") not in _SCALARS or "const" in schema:
        return schema
    if schema["type"] == "string" and not _NARROW & schema.keys():
        return schema
    about = {key: part for key, part in schema.items() if key in _ABOUT}
    value = {key: part for key, part in schema.items() if key not in _ABOUT}
    return {"anyOf": [value, _REFERENCE], **about}


def _add_secret_files(schema: dict[str, Any]) -> None:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return
    secret = [name for name, part in properties.items() if _is_secret(part) and name + FILE not in properties]
    if not secret:
        return
    files = {
        name + FILE: {"type": "string", "description": f'A file that holds "{name}".'} for name in secret
    }
    schema["properties"] = {**properties, **files}
    required = schema.get("required", [])
    either = [
        {"anyOf": [{"required": [name]}, {"required": [name + FILE]}]} for name in secret if name in required
    ]
    if either:
        schema["required"] = [name for name in required if name not in secret]
        schema["allOf"] = [*schema.get("allOf", []), *either]


def _is_secret(schema: dict[str, Any]) -> bool:
    if schema.get("format") == "password":
        return True
    parts = [*schema.get("anyOf", []), *([schema["items"]] if isinstance(schema.get("items"), dict) else [])]
    return any(_is_secret(part) for part in parts)
