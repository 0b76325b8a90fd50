"""Rules and templates: what is told to whom, and in which words."""

from typing import Any, Final

from pydantic import Field

from relay.channels import channel_type, kinds
from relay.model.access import Scope
from relay.model.catalogue import CATALOGUE
from relay.server.api.operation import Call, Document, Nothing, Operation

TAG: Final = "rules and templates"


class RuleDocument(Document):
    """A rule, in the order in which they are tried."""

    name: str
    match: dict[str, Any] = Field(description="what an event must be like; empty: any")
    when: str | None
    channels: list[str]
    escalate: list[dict[str, Any]]
    stop: bool
    options: dict[str, Any] = Field(description="everything else that is not as usual")


class Rules(Document):
    """The rules that hold."""

    configured: bool = Field(description="false: no rules are written, this is what holds without any")
    items: list[RuleDocument]


class TemplateDocument(Document):
    """A template, by the name that a rule may give."""

    kind: str = Field(description="the kind of channel")
    name: str = Field(description="an event type, `group`, `default`, or a name of your own")
    parts: list[str] = Field(description="the parts that a message of this kind has")


class Templates(Document):
    """The templates that there are, yours and the shipped ones."""

    items: list[TemplateDocument]


class EventTypeDocument(Document):
    """A type of events."""

    type: str
    meaning: str
    severity: str
    lasting: bool = Field(description="whether it is an alert, with a beginning and an end")
    about_relay: bool
    details: dict[str, Any] = Field(description="the JSON Schema of its `details`")


class EventTypes(Document):
    """All types of events."""

    items: list[EventTypeDocument]


_OWN: Final = {"name", "match", "when", "channels", "escalate", "stop"}


async def list_rules(call: Call[Nothing, None]) -> Rules:
    """List the rules in the order in which they are tried."""
    settings = call.service.settings
    items = []
    for rule in settings.effective_rules:
        said = rule.model_dump(mode="json", exclude_defaults=True)
        items.append(
            RuleDocument(
                name=rule.name,
                match=said.get("match", {}),
                when=rule.when,
                channels=list(rule.channels),
                escalate=said.get("escalate", []),
                stop=rule.stop,
                options={name: value for name, value in said.items() if name not in _OWN},
            )
        )
    return Rules(configured=bool(settings.rules), items=items)


async def list_templates(call: Call[Nothing, None]) -> Templates:
    """List the templates by kind of channel."""
    renderer = call.service.renderer
    items = [
        TemplateDocument(kind=kind, name=name, parts=list(channel_type(kind).PARTS))
        for kind in sorted(kinds())
        for name in sorted(renderer.names(kind))
    ]
    return Templates(items=items)


async def list_event_types(_call: Call[Nothing, None]) -> EventTypes:
    """List the types of events, with what their details hold."""
    items = [
        EventTypeDocument(
            type=each.name,
            meaning=each.meaning,
            severity=each.severity,
            lasting=each.lasting,
            about_relay=each.about_relay,
            details=each.details.model_json_schema(mode="serialization"),
        )
        for each in CATALOGUE.values()
    ]
    return EventTypes(items=items)


OPERATIONS: Final = (
    Operation("GET", "/rules", list_rules, Rules, Scope.READ, TAG),
    Operation("GET", "/templates", list_templates, Templates, Scope.READ, TAG),
    Operation("GET", "/event-types", list_event_types, EventTypes, Scope.READ, TAG),
)
"""What can be asked of rules and templates."""
