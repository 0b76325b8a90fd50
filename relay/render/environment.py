"""The sandbox that templates run in: one environment per sort of place, each escaping for its own."""

import dataclasses
import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from enum import Enum
from typing import Any, Final

from jinja2 import BaseLoader, BytecodeCache, StrictUndefined, UndefinedError, pass_context
from jinja2.environment import TemplateModule
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from markupsafe import Markup, escape

from relay.model.catalogue import CATALOGUE
from relay.model.clock import Clock
from relay.model.event import Event, Status
from relay.model.quorum import quorum
from relay.render.clean import clean
from relay.render.filters import FILTERS, Filter, as_json, codespans_html, cut_escaped, slack_escape, timed
from relay.render.markdown import markdown_code, markdown_escape
from relay.render.plain import level

CONTEXT: Final[Mapping[str, str]] = {
    "event": "the event to speak of: the latest one about the alert, or the first of the worst in a group; "
    "its labels and annotations with the rule's over them",
    "events": "all events of this message, at least one; of an alert that began and ended there are both",
    "entries": "the things that this message tells: what is not over before what is, the worst first, then "
    "in time order; each has `event`, `missed`, `links` and `acknowledge_url`",
    "most": "how many of them to list (the rule's `group.max`)",
    "count": "how many things this message tells, those that it only counts among them",
    "more": "how many things it only counts: they are not in `entries`",
    "grouped": "whether it is about more than one thing",
    "group": "what the members of a group have in common, such as `{cluster: prod}`; else none",
    "part": "which of the `parts` this is, from 1",
    "parts": "how many messages it took to tell them all",
    "reason": "why it is told now: `new`, `repeat`, `escalation`, `group` or `digest`",
    "missed": "whether an alert began and ended before this receiver heard of it (both events are there)",
    "about": "what the event's type means; empty for a type that this version does not know",
    "status": "`event`, `firing` or `resolved`",
    "firing": "whether the status is `firing`",
    "resolved": "whether the status is `resolved`",
    "severity": "the worst of what is not over (`info`, `warning`, `error` or `critical`); of everything, if "
    "all is",
    "level": "`RESOLVED`, or the severity in capitals",
    "lasted": "how long a resolved alert lasted (for the filter `duration`); else none",
    "labels": "the event's labels, with the rule's over them",
    "annotations": "the event's annotations, with the rule's over them",
    "acknowledged": "who takes care of the thing that this is about: `by`, `at`, `note`, `until`; else none",
    "acknowledge_url": "the link by which the reader takes care of it; only in `slack` and `email`, only for "
    "one thing that is not over, else none",
    "rule": "the name of the rule that decided this message",
    "channel": "the name of the channel that it goes to",
    "delivery": "the id of the delivery, which the receiver sees; the same on every attempt",
    "replay_of": "the id of the delivery that this one repeats on demand; else none",
    "links": "`links.event`, for alerts `links.alert`, and `links.all`: only with `server.public_url`; "
    "`links.runbook` if the rule or the cluster has one",
    "payload": "what a webhook gets by default: `{type, timestamp, data}`",
    "relay": "`relay.version` and `relay.public_url` (none if not set)",
    "now": "the time of this attempt, aware, in UTC",
}
"""What a template is given, and what it is: the source of the table in the reference."""

FUNCTIONS: Final[Mapping[str, str]] = {
    "say(event)": "what there is to say about an event: `headline`, `facts` (pairs of label and value) and "
    "`advice` (a list of paragraphs), from `types/TYPE.j2`",
    "quorum(n)": "how many of n replicas have to be healthy: n // 2 + 1",
}
"""The functions beside Jinja's own."""


class Place(Enum):
    """What a rendered part is, which decides how values are escaped in it."""

    TEXT = "text"
    LINE = "line"
    HTML = "html"
    JSON = "json"
    SLACK = "slack"
    MARKDOWN = "markdown"

    @classmethod
    def of(cls, kind: str, part: str) -> "Place":
        """The place that a channel kind's part is, by its name: `html`, `json`, `subject.txt` …"""
        if part.endswith("json"):
            return cls.SLACK if kind == "slack" else cls.JSON
        if part.endswith("html"):
            return cls.HTML
        return cls.LINE if part in {"subject.txt", "title.txt"} else cls.TEXT


class Missing(StrictUndefined):
    """An undefined name; using it is an error that names the nearest one that is defined."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        name = str(self._undefined_name)
        if self._is_name:
            return f"{name!r} is undefined" + near(
                name, [*CONTEXT, *(f.partition("(")[0] for f in FUNCTIONS)]
            )
        return f"{_noun(self._undefined_obj)} has no {name!r}" + near(name, _members(self._undefined_obj))

    @property
    def _is_name(self) -> bool:
        return self._undefined_obj is missing


def near(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?` for the known word that is most like this one, else nothing."""
    close = difflib.get_close_matches(word[:80], sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _noun(value: Any) -> str:
    if isinstance(value, Mapping):
        return "the mapping"
    if isinstance(value, TemplateModule):
        return "the imported template"
    return f"the {type(value).__name__.lower()}"


def _members(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [str(key) for key in value]
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    return [name for name in dir(value) if not name.startswith("_")]


class Word:
    """Stands in a context for what a template has to ask for: see ``WORDS``."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def of(self, words: object) -> Any:
        """Return what the word says of one message; ``words`` has it as an attribute of that name."""
        return getattr(words, self._name)


WORDS: Final = "relay:words"
"""Where a context has the words of its message; no template can call it so."""


class _Context(Context):
    def resolve_or_missing(self, key: str) -> Any:
        found = super().resolve_or_missing(key)
        return found.of(self.parent[WORDS]) if isinstance(found, Word) else found


class Environment(ImmutableSandboxedEnvironment):
    """A place's environment. `finalize` escapes whatever an expression puts out, unless it is Markup."""

    context_class = _Context

    def __init__(
        self,
        place: Place,
        loader: BaseLoader,
        clock: Clock,
        zone: tzinfo,
        compiled: BytecodeCache | None = None,
    ) -> None:
        super().__init__(
            loader=loader,
            bytecode_cache=compiled,
            undefined=Missing,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=place not in {Place.TEXT, Place.LINE},
            finalize=_FINALIZE[place],
            auto_reload=False,
            cache_size=1000,
        )
        self.filters |= FILTERS | timed(clock, zone) | {"tojson": _TOJSON[place]}
        if place is Place.HTML:
            self.filters |= {"codespans": codespans_html}
        if place is Place.MARKDOWN:
            self.filters |= {"code": markdown_code}
        if place is Place.SLACK:
            self.filters |= {"cut": cut_escaped, "slack_escape": lambda value: _Escaped(slack_escape(value))}
        self.globals |= {"say": say, "quorum": quorum}


class _Escaped(str):
    """A text in which Slack's three characters are escaped already."""

    __slots__ = ()


def _ready(text: str) -> Markup:
    """What is escaped for its place already."""
    return Markup(text)  # noqa: S704


def _in_text(value: object) -> str:
    return clean(str(value))


def _in_html(value: object) -> Markup:
    return value if isinstance(value, Markup) else escape(clean(str(value)))


def _in_json(value: object) -> Markup:
    return value if isinstance(value, Markup) else _ready(json.dumps(clean(str(value)))[1:-1])


def _in_slack(value: object) -> Markup:
    return value if isinstance(value, Markup) else _ready(json.dumps(_slack_text(value))[1:-1])


def _slack_text(value: object) -> str:
    text = clean(str(value))
    return text if isinstance(value, _Escaped | Markup) else slack_escape(text)


def _json_in_html(value: object, indent: int | None = None) -> Markup:
    text = as_json(value, indent=indent)
    for char in "<>&'":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return _ready(text)


def _json_in_json(value: object, indent: int | None = None) -> Markup:
    return _ready(as_json(value, indent=indent))


def _json_in_slack(value: object, indent: int | None = None) -> Markup:
    return _ready(as_json(value, escape=_slack_text, indent=indent))


def _json_in_text(value: object, indent: int | None = None) -> str:
    return as_json(value, indent=indent)


_FINALIZE: Final[dict[Place, Callable[[Any], str]]] = {
    Place.TEXT: _in_text,
    Place.LINE: _in_text,
    Place.HTML: _in_html,
    Place.JSON: _in_json,
    Place.SLACK: _in_slack,
    Place.MARKDOWN: markdown_escape,
}
_TOJSON: Final[dict[Place, Filter]] = {
    Place.TEXT: _json_in_text,
    Place.LINE: _json_in_text,
    Place.HTML: _json_in_html,
    Place.JSON: _json_in_json,
    Place.SLACK: _json_in_slack,
    Place.MARKDOWN: _json_in_text,
}


@dataclass(frozen=True, slots=True)
class Said:
    """What there is to say about an event."""

    headline: str
    facts: list[tuple[str, Any]]
    advice: list[str]


@pass_context
def say(context: Context, event: Event) -> Said:
    """What `say.j2`, and through it `types/TYPE.j2`, has to say about the event."""
    template = context.environment.get_template("say.j2")
    module = template.make_module({**context.get_all(), **speaking_of(event)})
    return Said(_set(module, "headline"), _set(module, "facts"), _set(module, "advice"))


def _set(module: TemplateModule, name: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError:
        raise UndefinedError(f"say.j2 does not set {name!r}") from None


def speaking_of(event: Event) -> dict[str, Any]:
    """The part of the context that depends on the event to speak of."""
    kind = CATALOGUE.get(event.type)
    resolved = event.status is Status.RESOLVED
    return {
        "event": event,
        "about": "" if kind is None else kind.meaning,
        "status": str(event.status),
        "firing": event.status is Status.FIRING,
        "resolved": resolved,
        "level": level(event),
        "lasted": _lasted(event) if resolved else None,
        "labels": event.labels,
        "annotations": event.annotations,
    }


def _lasted(event: Event) -> timedelta | None:
    if event.starts_at is None or event.ends_at is None:
        return None
    return max(timedelta(0), event.ends_at - event.starts_at)
