"""Finds, compiles and renders templates."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import jinja2
from jinja2 import BytecodeCache, ChoiceLoader, FileSystemLoader, FunctionLoader, PrefixLoader, Template

import relay
from relay.model.clock import Clock
from relay.model.event import Event
from relay.model.severity import Severity
from relay.model.silence import Acknowledgement
from relay.render.clean import bounded, clean, one_line, tame
from relay.render.environment import CONTEXT, WORDS, Environment, Place, Word, near, speaking_of
from relay.render.errors import TemplateError
from relay.render.payload import payload
from relay.render.telling import Entry, Telling
from relay.render.trial import tellings
from relay.render.trouble import trouble

_SUFFIX: Final = ".j2"
_DEFAULT: Final = "default"
_TYPED: Final = Path("/typed")
"""Where errors think that typed templates lie; there is nothing."""
_LINES: Final = re.compile(r"[ \t]+$|\n{3,}|\A\n+", re.MULTILINE)


@lru_cache(maxsize=1)
def shipped() -> Path:
    """Where the product's own templates lie: in the installed package, or in the checkout."""
    package = Path(relay.__file__).parent
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


class _Templates(FileSystemLoader):
    """Finds templates and nothing else that lies in their folders, such as a configuration with passwords.

    Who saves a template can read its folder; who types one may not be allowed to.
    """

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        if not template.endswith(_SUFFIX):
            message = f"a template that is typed can use no file whose name does not end in {_SUFFIX}"
            raise TemplateError(template, None, message)
        return super().get_source(environment, template)


class Renderer:
    """Renders messages. `directories` are searched before the shipped templates, in their order.

    Templates are read and compiled once: a changed file needs a new Renderer. Names of folders are the kinds
    of channels; a file is called `NAME.PART.j2`, where NAME is an event type, `group`, `default`, or what a
    rule's `template` says. `typed` are templates by file name (`slack/mine.json.j2`) that lie nowhere; they
    come before all others. `compiled` keeps per place what was compiled, for other Renderers that have the
    same clock and time zone.
    """

    def __init__(
        self,
        directories: Sequence[Path],
        *,
        clock: Clock,
        timezone: tzinfo = UTC,
        public_url: str | None = None,
        typed: Mapping[str, str] = MappingProxyType({}),
        compiled: Mapping[Place, BytecodeCache] = MappingProxyType({}),
    ) -> None:
        self.directories = (*directories, shipped())
        self._places = (_TYPED, *self.directories)
        self._typed = typed
        self.public_url = public_url
        self._clock = clock
        # "shipped/" in front of a name lets a template extend the one that it stands in for.
        own = PrefixLoader({"shipped": FileSystemLoader(shipped())})
        saved = _Templates(self.directories) if typed else FileSystemLoader(self.directories)
        self._loader = ChoiceLoader([FunctionLoader(self._load), saved, own])
        self._environments = {
            place: Environment(place, self._loader, clock, timezone, compiled.get(place)) for place in Place
        }
        asked = {name: Word(name) for name in CONTEXT}
        self._context = {**asked, "relay": {"version": relay.__version__, "public_url": public_url}}
        self._found: dict[tuple[str, str, str, str | None], Template] = {}

    def render(
        self, kind: str, parts: Sequence[str], telling: Telling, template: str | None = None
    ) -> dict[str, str]:
        """The parts of one message for a kind of channel. Raises TemplateError.

        `template` is a rule's own; a part that it does not have comes from the event type's or the default.
        """
        words = _Words(telling, self._clock, self.public_url)
        rendered = {}
        for part in parts:
            found = self._find(kind, part, telling.type, template)
            try:
                text = self._text(found, words)
            except Exception as error:
                raise trouble(error, str(found.name), self._places) from None
            rendered[part] = _finish(text, Place.of(kind, part))
        return rendered

    def _text(self, template: Template, words: "_Words") -> str:
        # As Template.render does it, but for what it copies of each message anew.
        context = template.new_context({**template.globals, **self._context, WORDS: words}, shared=True)
        try:
            return template.environment.concat(template.root_render_func(context))
        except Exception:
            template.environment.handle_exception()

    def check(self) -> list[TemplateError]:
        """What is wrong with any template: each is rendered with every sample that it may get."""
        problems: dict[str, TemplateError] = {}
        for kind in self.kinds():
            for name, part in self.files(kind):
                for problem in self._try(kind, name, part):
                    problems.setdefault(str(problem), problem)
        return list(problems.values())

    def _try(self, kind: str, name: str, part: str) -> Iterator[TemplateError]:
        for telling in tellings(name):
            own = None if name in (_DEFAULT, telling.type) else name
            try:
                text = self.render(kind, [part], telling, own)[part]
                if part.endswith("json"):
                    json.loads(text)
            except TemplateError as error:
                yield error
            except ValueError as error:
                message = f"makes no valid JSON of a sample of {telling.type}: {error}"
                yield TemplateError(f"{kind}/{name}.{part}{_SUFFIX}", None, message)
                return

    def names(self, kind: str) -> tuple[str, ...]:
        """The names under which the kind has templates: `default`, event types, users' own."""
        return tuple(sorted({name for name, _ in self.files(kind)}))

    def kinds(self) -> tuple[str, ...]:
        """The kinds of channels that have templates."""
        folders = (path for directory in self.directories for path in _folders(directory))
        return tuple(sorted({path.name for path in folders if self.parts(path.name)}))

    def parts(self, kind: str) -> tuple[str, ...]:
        """The parts that the kind's default template has."""
        start = f"{kind}/{_DEFAULT}."
        files = (file for file in self._files(kind) if file.startswith(start))
        return tuple(sorted(filter(None, (file[len(start) : -len(_SUFFIX)] for file in files))))

    def files(self, kind: str) -> tuple[tuple[str, str], ...]:
        """Name and part of each of the kind's templates; other files in its folder are their helpers."""
        found = []
        for file in self._files(kind):
            base = file[len(kind) + 1 : -len(_SUFFIX)]
            fitting = [part for part in self.parts(kind) if base.endswith(f".{part}")]
            if fitting:
                part = max(fitting, key=len)
                found.append((base[: -len(part) - 1], part))
        return tuple(found)

    def source(self, kind: str, part: str, type_name: str, template: str | None = None) -> tuple[str, str]:
        """The file name and the text of the template that makes a part. Raises TemplateError."""
        name = str(self._find(kind, part, type_name, template).name)
        text, _, _ = self._loader.get_source(self._environments[Place.of(kind, part)], name)
        return name, text

    def _files(self, kind: str) -> list[str]:
        folders = [directory / kind for directory in self.directories]
        typed = {file for file in self._typed if file.startswith(f"{kind}/")}
        found = {f"{kind}/{file.name}" for folder in folders for file in folder.glob(f"*{_SUFFIX}")}
        return sorted(found | typed)

    def _load(self, name: str) -> tuple[str, str, None] | None:
        source = self._typed.get(name)
        return None if source is None else (source, str(_TYPED / name), None)

    def _find(self, kind: str, part: str, type_name: str, own: str | None) -> Template:
        key = (kind, part, type_name, own)
        found = self._found.get(key)
        if found is None:
            if own is not None and not any(own in self.names(each) for each in self.kinds()):
                raise TemplateError(f"{kind}/{own}.{part}{_SUFFIX}", None, self._unknown(kind, own))
            names = [name for name in (own, type_name, _DEFAULT) if name is not None]
            found = self._found[key] = self._select(kind, part, names)
        return found

    def _select(self, kind: str, part: str, names: Sequence[str]) -> Template:
        environment = self._environments[Place.of(kind, part)]
        files = [f"{kind}/{name}.{part}{_SUFFIX}" for name in names]
        try:
            found = environment.select_template(files)
        except jinja2.TemplatesNotFound:
            raise TemplateError(files[-1], None, "there is no such template") from None
        except Exception as error:
            raise trouble(error, files[0], self._places) from None
        # Jinja copies them for each message, and going through a ChainMap takes as long as rendering.
        found.globals = dict(found.globals)
        return found

    def _unknown(self, kind: str, own: str) -> str:
        return f"there is no template {own!r} for any kind of channel" + near(own, self.names(kind))


class _Words:
    """What templates may say of one message (``CONTEXT`` tells what each is), made when one asks for it."""

    def __init__(self, telling: Telling, clock: Clock, public_url: str | None) -> None:
        self._telling = telling
        self._clock = clock
        self._public_url = public_url
        self.count = telling.count
        self.delivery = telling.delivery
        self.grouped = telling.grouped
        self.missed = telling.missed
        self.more = telling.more
        self.most = telling.rule_about.most
        self.part = telling.part
        self.parts = telling.parts
        self.reason = str(telling.reason)
        self.replay_of = telling.replay_of

    @cached_property
    def _event(self) -> Event:
        return self._telling.merged(self._telling.event)

    @cached_property
    def _spoken(self) -> Mapping[str, Any]:
        return speaking_of(self._event)

    @cached_property
    def event(self) -> Event:
        return tame(self._event)

    @cached_property
    def labels(self) -> Mapping[str, str]:
        return self.event.labels

    @cached_property
    def annotations(self) -> Mapping[str, str]:
        return self.event.annotations

    @cached_property
    def events(self) -> tuple[Event, ...]:
        return tuple(tame(self._telling.merged(each)) for each in self._telling.events)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entry(each) for each in self._telling.entries)

    @cached_property
    def group(self) -> Any:
        return None if self._telling.group is None else bounded(self._telling.group)

    @cached_property
    def severity(self) -> Severity:
        return self._telling.severity

    @cached_property
    def acknowledged(self) -> Acknowledgement | None:
        return _acknowledged(self._telling.acknowledged)

    @cached_property
    def acknowledge_url(self) -> str | None:
        return None if self.grouped else self._telling.acknowledge(self._event)

    @cached_property
    def rule(self) -> Any:
        return bounded(self._telling.rule)

    @cached_property
    def channel(self) -> Any:
        return bounded(self._telling.channel)

    @cached_property
    def links(self) -> Mapping[str, str]:
        return self._telling.all_links(self._public_url)

    @cached_property
    def payload(self) -> Mapping[str, Any]:
        return payload(self._telling, self._public_url)

    @cached_property
    def now(self) -> datetime:
        return self._clock.now()

    def __getattr__(self, name: str) -> Any:
        return self._spoken[name]

    def _entry(self, entry: Entry) -> Entry:
        event = entry.event
        return Entry(
            tame(self._telling.merged(event)),
            entry.missed,
            self._telling.acknowledge(event),
            self._telling.links(event, self._public_url),
        )


def _acknowledged(found: Acknowledgement | None) -> Acknowledgement | None:
    return None if found is None else replace(found, by=bounded(found.by), note=bounded(found.note))


def _folders(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if path.is_dir()] if directory.is_dir() else []


def _finish(text: str, place: Place) -> str:
    if place is Place.LINE:
        return one_line(text)
    if place is Place.TEXT:
        return _LINES.sub(lambda found: "\n\n" if found[0].startswith("\n\n\n") else "", clean(text)).strip(
            "\n"
        )
    return clean(text).strip() if place is Place.HTML else text.strip()
