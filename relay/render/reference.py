"""Makes the reference out of the code: tables of events and templates, and the payloads' JSON Schemas.

``python -m relay.render.reference`` writes them into the checkout's docs; a test keeps them fresh.
"""

import inspect
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from relay.model.catalogue import CATALOGUE, EventType
from relay.model.delivery import Reason
from relay.model.details import Flaps
from relay.model.event import Status, SubjectKind
from relay.model.severity import Severity
from relay.render.environment import CONTEXT, FUNCTIONS
from relay.render.expression import FILTERS as EXPRESSION_FILTERS
from relay.render.expression import METHODS, NAMES
from relay.render.filters import FILTERS, TIMED, Filter, duration

EVENTS: Final = Path("docs/reference/events.md")
TEMPLATES: Final = Path("docs/reference/templates.md")
SCHEMAS: Final = Path("docs/schemas/events")
SEVERAL: Final = Path("docs/schemas/several.json")

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_TIME: Final = {"type": "string", "format": "date-time"}
_MARKED: Final = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_PLAIN: Final = {
    "status": "`event`, `firing` or `resolved`",
    "severity": "`info`, `warning`, `error` or `critical`",
    "subject": "what it is about: `kind` and `name`, where known `gun` and `replicas`",
    "details": "what its type has: see above",
}
"""What the schema says by itself."""
_TOJSON: Final = "The value as JSON, safe in its place; the one filter whose result is not escaped again."


def payload_schema(type_name: str) -> dict[str, Any]:
    """The JSON Schema of what a webhook gets for one event of the type. KeyError for an unknown type.

    It allows more fields than it names: the contract is only ever extended.
    """
    kind = CATALOGUE[type_name]
    details = _open(kind.details.model_json_schema(mode="serialization"))
    definitions = details.pop("$defs", {})
    if kind.lasting:
        ended = "why the alert ended, where that is not simply that it no longer holds"
        details["properties"]["ended_because"] = {"type": "string", "description": ended}
        details["properties"]["flaps"] = _open(Flaps.model_json_schema(mode="serialization"))
    statuses = [Status.FIRING, Status.RESOLVED] if kind.lasting else [Status.EVENT]
    return {
        "$schema": _DRAFT,
        "title": kind.name,
        "description": kind.meaning,
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": kind.name},
            "timestamp": {**_TIME, "description": "when it happened"},
            "data": _data(kind, [str(status) for status in statuses], details),
        },
        **({"$defs": definitions} if definitions else {}),
    }


def several_schema() -> dict[str, Any]:
    """The JSON Schema of what a webhook gets for several events: a group, or what it has missed."""
    words = {"type": "object", "additionalProperties": {"type": "string"}}
    counted = {"type": "integer", "minimum": 0}
    properties = {
        "group": {"type": "string", "description": "what they have in common, to be read"},
        "group_id": {"type": "string", "description": "the same for all messages about this group"},
        "group_by": {**words, "description": "what they have in common, by the words of the rule's group.by"},
        "count": {**counted, "description": "how many there are: the items and more"},
        "items": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["type", "timestamp", "data"]},
            "description": "each as a message of its own; both ends of an alert that began and ended are two",
        },
        "more": {**counted, "description": "how many are only counted"},
        "part": {**counted, "minimum": 1, "description": "which part this is"},
        "parts": {**counted, "minimum": 1, "description": "how many messages it took"},
        "reason": {
            "enum": [str(reason) for reason in Reason],
            "description": "why now: gathered (group), missed (digest), or still firing (repeat)",
        },
        "rule": {"type": "string", "description": "the rule that decided this message"},
    }
    replay = {"type": "string", "description": "the delivery that this one repeats on demand"}
    return {
        "$schema": _DRAFT,
        "title": "several events",
        "description": "What a webhook gets for several events at once.",
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"type": "string", "description": "the type that all items have, else group"},
            "timestamp": {**_TIME, "description": "when the last of them happened"},
            "data": {
                "type": "object",
                "required": list(properties),
                "properties": {**properties, "replay_of": replay},
            },
        },
    }


def _data(kind: EventType, statuses: list[str], details: dict[str, Any]) -> dict[str, Any]:
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    lasting = {
        "starts_at": {**_TIME, "description": "when the alert's condition was first seen"},
        "ends_at": {"type": ["string", "null"], "format": "date-time", "description": "when it resolved"},
    }
    properties = {
        "id": {"type": "string", "description": "the alert's for its whole life, else the event's"},
        "status": {"enum": statuses},
        "severity": {"enum": [str(severity) for severity in Severity]},
        "cluster": {"type": ["string", "null"], "description": "null for the relay's own events"},
        "summary": {"type": "string", "description": "the event in one line"},
        "subject": {
            "type": "object",
            "required": ["kind", "name"],
            "properties": {
                "kind": {"enum": [str(each) for each in SubjectKind]},
                "name": {"type": "string"},
                "gun": {"type": "string", "description": "the name under which the trust data was signed"},
                "replicas": {"type": "array", "items": {"type": "string"}},
            },
        },
        "seen_at": {**_TIME, "description": "when the relay saw it"},
        "labels": {**texts, "description": "the cluster's, with the rule's over them"},
        "annotations": {**texts, "description": "the cluster's, with the rule's over them"},
        "details": details,
        "rule": {"type": "string", "description": "the rule that decided this message"},
        "reason": {
            "enum": [str(Reason.NEW), str(Reason.REPEAT), str(Reason.ESCALATION)],
            "description": "why now: it happened, it still fires, or nobody has acknowledged it",
        },
        "links": {**texts, "description": "event, alert, runbook: those that there are"},
        **(lasting if kind.lasting else {}),
    }
    flapping = {
        "const": True,
        "description": "there only where the alert comes and goes too often to tell each time; then nothing "
        "more comes until it has settled, save a worse severity. `details.flaps` says how often",
    }
    acknowledged = {
        "type": "object",
        "required": ["by", "at", "note", "until"],
        "properties": {
            "by": {"type": "string"},
            "at": _TIME,
            "note": {"type": "string"},
            "until": {"type": ["string", "null"], "format": "date-time"},
        },
        "description": "who takes care of it, if somebody does",
    }
    replay = {"type": "string", "description": "the delivery that this one repeats on demand"}
    return {
        "type": "object",
        "required": list(properties),
        "properties": {
            **properties,
            **({"flapping": flapping} if kind.lasting else {}),
            "acknowledged": acknowledged,
            "replay_of": replay,
        },
    }


def _open(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {
            key: _open(value)
            for key, value in schema.items()
            if (key, value) != ("additionalProperties", False)
        }
    return [_open(item) for item in schema] if isinstance(schema, list) else schema


def events_markdown() -> str:
    """The reference of event types."""
    rows = (
        (
            f"[`{kind.name}`](#{kind.name.replace('.', '')})",
            kind.meaning,
            str(kind.severity),
            "alert" if kind.lasting else "event",
            str(kind.subject),
        )
        for kind in CATALOGUE.values()
    )
    return "\n".join(
        (
            "# Event types",
            "",
            "Made from the code (`python -m relay.render.reference`): do not edit.",
            "",
            "An *event* is told once, an *alert* when it begins (`firing`) and when it ends (`resolved`).",
            "One that comes and goes too often is told as *flapping* (`data.flapping`, `details.flaps`).",
            "Then nothing more comes until it settles: `resolved`, or `firing` without `flapping`.",
            "The severity is the usual one; some events of a type are worse, as its meaning says.",
            "The JSON Schema of each type's webhook body is in [docs/schemas/events](../schemas/events),",
            "that of several events at once is [several.json](../schemas/several.json).",
            "",
            _table(("type", "meaning", "severity", "kind", "subject"), rows),
            *(line for kind in CATALOGUE.values() for line in _type(kind)),
            *_bodies(),
            "",
        )
    )


def _bodies() -> Iterable[str]:
    one = payload_schema("cluster.issue")["properties"]["data"]["properties"]
    several = several_schema()["properties"]["data"]["properties"]
    yield from ("", "## What a webhook gets", "")
    yield "`{type, timestamp, data}`. `data` of one event, where `timestamp` is when it happened:"
    yield from ("", _table(("field", "meaning"), _meanings(one)), "")
    yield "`data` of several events, told together by a rule with `group`, or after the receiver was away:"
    yield from ("", _table(("field", "meaning"), _meanings(several)), "")
    yield "A receiver may get more fields than these: the contract is only ever extended."


def _meanings(properties: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    return (
        (f"`{name}`", field.get("description", _PLAIN.get(name, ""))) for name, field in properties.items()
    )


def _type(kind: EventType) -> Iterable[str]:
    schema = kind.details.model_json_schema(mode="serialization")
    yield from ("", f"## {kind.name}", "", kind.meaning)
    if kind.hold:
        yield from (
            "",
            f"It fires once it has held for {duration(kind.hold)}, if `alerts` says nothing else.",
        )
    yield from ("", "`details`:", "")
    yield _table(("field", "type", "meaning"), _fields(schema, schema.get("$defs", {}), ""))


def _fields(schema: Any, definitions: Any, prefix: str) -> Iterable[tuple[str, str, str]]:
    for name, field in schema["properties"].items():
        yield f"`{prefix}{name}`", _type_name(field), field["description"]
        inner = field.get("items", {}).get("$ref")
        if inner:
            yield from _fields(definitions[inner.rpartition("/")[2]], definitions, f"{prefix}{name}[].")


def _type_name(field: Any) -> str:
    if "anyOf" in field:
        return " or ".join(_type_name(each) for each in field["anyOf"])
    if field.get("type") == "array":
        return f"list of {_type_name(field['items'])}s"
    if field.get("format") == "date-time":
        return "time"
    return str(field.get("type", "object"))


def templates_markdown(text: str) -> str:
    """The text with every marked table made anew: context, functions, filters, names."""
    tables = {
        "context": _table(("name", "what it is"), _listed(CONTEXT)),
        "functions": _table(("call", "what it gives"), _listed(FUNCTIONS)),
        "filters": _table(("filter", "what it gives"), _filters({**FILTERS, **TIMED})),
        "names": _table(("name", "what it is"), _listed(NAMES)),
        "expression_filters": ", ".join(f"`{name}`" for name in EXPRESSION_FILTERS),
        "expression_methods": ", ".join(f"`{name}`" for name in METHODS),
    }
    return _MARKED.sub(lambda found: f"{found[1]}{tables[found[2]]}\n{found[3]}", text)


def _listed(entries: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return ((f"`{name}`", meaning) for name, meaning in entries.items())


def _filters(filters: Mapping[str, Filter]) -> Iterable[tuple[str, str]]:
    rows = {name: (_call(name, each), inspect.getdoc(each) or "") for name, each in filters.items()}
    rows["tojson"] = ("`tojson`", _TOJSON)
    return (rows[name] for name in sorted(rows))


def _call(name: str, function: Filter) -> str:
    given = list(inspect.signature(function).parameters.values())[1:]
    shown = [
        each.name if each.default is each.empty else f"{each.name}={each.default!r}"
        for each in given
        if each.kind is not each.KEYWORD_ONLY
    ]
    return f"`{name}({', '.join(shown)})`" if shown else f"`{name}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in line)} |"
        for line in lines
    )


def pages(root: Path) -> dict[Path, str]:
    """Every file that is made from the code, under the checkout `root`, and what has to be in it."""
    made = {
        root / SCHEMAS / f"{name}.json": json.dumps(payload_schema(name), indent=2) + "\n"
        for name in CATALOGUE
    }
    templates = root / TEMPLATES
    return {
        **made,
        root / SEVERAL: json.dumps(several_schema(), indent=2) + "\n",
        root / EVENTS: events_markdown(),
        templates: templates_markdown(templates.read_text(encoding="utf-8")),
    }


def write(root: Path) -> None:
    """Write them."""
    for path, text in pages(root).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path.cwd())
