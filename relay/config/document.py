"""Reads a YAML file into a tree whose every key and value knows its file, line and column.

Scalars are resolved by the core schema of YAML 1.2: `off`, `yes`, `12:30` and `2026-11-23` are text, as they
were written. The parser's events are read one by one, so depth, size and repeats are bounded before
anything is built, and no message of the parser is shown, because those repeat parts of the file.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from relay.config.tree import Atom, Entry, Items, Layer, Node, Origin, Scalar, Table, shown
from relay.model.errors import ConfigError, Problem

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_DEPTH: Final = 40
MAX_NODES: Final = 200_000
"""How many values a document may hold, repeats by alias counted each time."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WORDS: Final[dict[str, Atom]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_BASES: Final = {"0o": 8, "0x": 16}
_TAGS: Final = {"int": int, "float": float, "null": type(None), "bool": bool, "str": str}

# What libyaml or PyYAML say, by a part that both share, and what it means to who wrote the file.
_SYNTAX: Final = (
    ("cannot start any token", "a value cannot begin with this character; put the value in quotes"),
    (
        "mapping values are not allowed",
        'a ":" and a space cannot stand here; quote the value, or indent rightly',
    ),
    ("found unexpected end of stream", "a quote that was opened is never closed"),
    ("unknown escape character", 'unknown "\\" escape in double quotes; use single quotes'),
    ("',' or ']'", 'the list that begins with "[" is not closed with "]", or lacks a comma'),
    ("',' or '}'", 'the mapping that begins with "{" is not closed with "}", or lacks a comma'),
    ("block end", "this line does not fit the lines above it; check its indentation"),
    ("'-' indicator", "this line does not fit the list above it; check its indentation"),
    ("expected key", "this line does not fit the mapping above it; check its indentation"),
    ("could not find expected ':'", 'a key without ":" (or a value that is not indented enough)'),
    ("incompatible YAML document", "only YAML 1.x can be read"),
)
_KEY = re.compile(r"""\s*(?:-\s+)*(?:[{\[]\s*)*["']?[A-Za-z_][\w .-]{0,40}["']?\s*:(?=\s|$)""")


def read(path: Path) -> Table:
    """Reads the file into a tree. Raises ConfigError with the place of what cannot be read."""
    name = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(Problem(name, "", f"cannot be read: {error.strerror or 'unknown error'}")) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(Problem(name, "", f"is larger than {MAX_BYTES // 1024 // 1024} MiB"))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        place = f"{name}:{line}:1"
        raise ConfigError(Problem(place, "", "is not UTF-8", "save the file as UTF-8")) from None
    return parse(text, name)


def parse(text: str, name: str) -> Table:
    """Parses YAML text; `name` stands in positions. Raises ConfigError. An empty text is an empty mapping."""
    if bad := _CONTROL.search(text):
        line, start = text.count("\n", 0, bad.start()) + 1, text.rfind("\n", 0, bad.start()) + 1
        place = f"{name}:{line}:{bad.start() - start + 1}"
        raise ConfigError(Problem(place, "", f"the control character U+{ord(bad[0]):04X} is not allowed"))
    try:
        node = _Builder(text, name).document()
    except yaml.MarkedYAMLError as error:
        problem = _syntax(error, text, name)
    else:
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return Table({}, Origin(Layer.FILE, name, 1, 1))
        if isinstance(node, Table):
            return node
        problem = Problem(str(node.origin), "", "the file must be a mapping", 'write "clusters:" and so on')
    raise ConfigError(problem)


def resolve(text: str) -> Atom:
    """The value of a plain scalar by the core schema of YAML 1.2, but `.inf` and `.nan` stay text."""
    if text in _WORDS:
        return _WORDS[text]
    # int() refuses more than 4300 digits with an error of its own, and no setting comes near.
    if len(text) > 40:
        return text
    if _INT.fullmatch(text):
        return int(text, _BASES.get(text[:2], 10))
    return float(text) if _FLOAT.fullmatch(text) else text


class _Builder:
    """Builds the tree of one document out of the parser's events."""

    def __init__(self, text: str, name: str) -> None:
        self._events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=_Loader))
        self._name = name
        self._nodes = 0
        self._anchors: dict[str, tuple[Node, int] | None] = {}

    def document(self) -> Node | None:
        """The only document of the stream, or None when there is none."""
        root: Node | None = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._error(event, "a second document begins here", 'remove "---"')
                root = self._node(next(self._events), 1)
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self._error(event, f"is nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self._count(event, 1)
        anchor = getattr(event, "anchor", None)
        before = self._nodes - 1
        if anchor is not None:
            self._anchors[anchor] = None
        node = self._fresh(event, depth)
        if anchor is not None:
            self._anchors[anchor] = node, self._nodes - before
        return node

    def _fresh(self, event: yaml.Event, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(self._value(event), self._origin(event))
        if isinstance(event, yaml.SequenceStartEvent):
            self._refuse_tag(event, "seq")
            return Items(tuple(self._members(depth)), self._origin(event))
        assert isinstance(event, yaml.MappingStartEvent)
        self._refuse_tag(event, "map")
        return Table(self._entries(depth), self._origin(event))

    def _members(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _entries(self, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in entries:
                first = entries[key].key.line
                raise self._error(event, f'the key "{shown(key)}" was already written in line {first}')
            entries[key] = Entry(self._origin(event), self._node(next(self._events), depth + 1))
        return entries

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent) or not event.value:
            raise self._error(event, "a key must be text")
        if event.value == "<<" and event.implicit[0]:
            raise self._error(event, 'merge keys ("<<") are not read', "repeat the settings, or use an alias")
        return str(event.value)

    def _alias(self, event: yaml.AliasEvent) -> Node:
        # The name is not told: it may be a password that was meant to begin with an asterisk.
        known = self._anchors.get(event.anchor or "", ())
        if known is None:
            raise self._error(event, "an alias refers to the value that it is part of")
        if not known:
            message = 'a value that begins with "*" is an alias, and nothing has that anchor'
            raise self._error(event, message, "put it in quotes")
        node, size = known
        self._count(event, size)
        return node

    def _value(self, event: yaml.ScalarEvent) -> Atom:
        text: str = event.value
        if event.implicit[0]:
            return resolve(text)
        if event.implicit[1]:
            return text
        kind = (event.tag or "").removeprefix("tag:yaml.org,2002:")
        if kind not in _TAGS:
            raise self._error(event, 'a value that begins with "!" is a YAML tag', "put it in quotes")
        if kind == "str":
            return text
        value = resolve(text)
        if type(value) is not _TAGS[kind]:
            raise self._error(event, f'the value does not suit its tag "!!{kind}"')
        return value

    def _refuse_tag(self, event: yaml.CollectionStartEvent, kind: str) -> None:
        if not event.implicit and event.tag != f"tag:yaml.org,2002:{kind}":
            raise self._error(event, 'a value that begins with "!" is a YAML tag', "remove it")

    def _count(self, event: yaml.Event, size: int) -> None:
        self._nodes += size
        if self._nodes > MAX_NODES:
            raise self._error(event, f"the file holds more than {MAX_NODES} values (aliases count each time)")

    def _origin(self, event: yaml.Event) -> Origin:
        mark = event.start_mark
        assert mark is not None
        return Origin(Layer.FILE, self._name, mark.line + 1, mark.column + 1)

    def _error(self, event: yaml.Event, message: str, hint: str | None = None) -> ConfigError:
        return ConfigError(Problem(str(self._origin(event)), "", message, hint))


def _syntax(error: yaml.MarkedYAMLError, text: str, name: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    said = f"{error.problem}"
    # An open quote or bracket is mended where it begins, not where the file ends.
    if error.context_mark is not None and any(part in said for part in ("end of stream", "',' or")):
        mark = error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    source = text.split("\n")[line] if line < text.count("\n") + 1 else ""
    place = f"{name}:{line + 1}:{column + 1}"
    if "\t" in source[: column + 1]:
        meaning = "a tab cannot indent; use spaces"
    elif "or '" in said and "${" in source:
        meaning = 'inside [ ] and { } a "${…}" must be quoted'
    else:
        meaning = next((ours for part, ours in _SYNTAX if part in said), "this is not YAML")
    excerpt = _excerpt(source)
    return Problem(place, "", f"{meaning} (in: {excerpt})" if excerpt else meaning)


def _excerpt(line: str) -> str:
    """The line up to its first key: what follows may be a secret."""
    found = _KEY.match(line)
    if found is None:
        return ""
    rest = line[found.end() :].strip()
    return shown(found[0].strip() + (" …" if rest else ""))
