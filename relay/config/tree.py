"""The tree that configuration is before it is checked: plain values that remember where they were written.

Every layer (file, `.env`, environment) ends up in one such tree, so an error about any value can name its
place. Trees are immutable; what changes one returns a new one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeAlias

from relay.model.errors import Problem

Loc: TypeAlias = tuple[str | int, ...]
"""The way to a node: keys of mappings and indices of lists."""
Atom: TypeAlias = str | int | float | bool | None


class Layer(IntEnum):
    """Where a value can come from; a higher layer wins."""

    FILE = 0
    DOTENV = 1
    ENVIRONMENT = 2


@dataclass(frozen=True, slots=True)
class Origin:
    """The place where a value was written.

    `name` is a file's name or a variable's; `line` and `column` count from 1 and are 0 where there is none.
    """

    layer: Layer
    name: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        match self.layer:
            case Layer.ENVIRONMENT:
                return f"environment variable {self.name}"
            case Layer.DOTENV:
                return f"{self.name} line {self.line}"
            case _:
                return f"{self.name}:{self.line}:{self.column}" if self.line else self.name


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. `hidden`: it came through a variable or a secret file, so no message may repeat it."""

    value: Atom = field(repr=False)
    origin: Origin
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A value of a mapping, with the place of its key."""

    key: Origin
    value: "Node"


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping."""

    entries: Mapping[str, Entry] = field(repr=False)
    origin: Origin


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    members: tuple["Node", ...] = field(repr=False)
    origin: Origin


Node: TypeAlias = Scalar | Table | Items


def plain(node: Node) -> Any:
    """The node as plain data, for pydantic to check."""
    match node:
        case Scalar(value=value):
            return value
        case Items(members=members):
            return [plain(member) for member in members]
        case Table(entries=entries):
            return {key: plain(entry.value) for key, entry in entries.items()}


def child(node: Node | None, step: str | int) -> Node | None:
    """The node one step below, or None."""
    match node, step:
        case Table(entries=entries), str() if step in entries:
            return entries[step].value
        case Items(members=members), int() if 0 <= step < len(members):
            return members[step]
        case _:
            return None


def leaves(node: Node, path: Loc = ()) -> Iterator[tuple[Loc, Scalar]]:
    """All scalars with their paths."""
    match node:
        case Scalar():
            yield path, node
        case Items(members=members):
            for index, member in enumerate(members):
                yield from leaves(member, (*path, index))
        case Table(entries=entries):
            for key, entry in entries.items():
                yield from leaves(entry.value, (*path, key))


def member_name(node: Node | None) -> str | None:
    """The `name` of a member of a list, by which variables call it."""
    match child(node, "name"):
        case Scalar(value=str() as name) if name:
            return name
        case _:
            return None


def _told_name(node: Node | None) -> str | None:
    match child(node, "name"):
        case Scalar(value=str() as name, hidden=False) if name:
            return shown(name)
        case _:
            return None


def shown(text: str, limit: int = 60) -> str:
    """A key or a short value as messages may repeat it: cut off, and without control characters."""
    clean = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def describe(root: Node, loc: Loc) -> str:
    """A place as messages name it: `channels[security].to[0]`, members by name where they have one."""
    text = ""
    node: Node | None = root
    for step in loc:
        node = child(node, step)
        if isinstance(step, int):
            text += f"[{_told_name(node) or step}]"
        else:
            text += f".{shown(step)}" if text else shown(step)
    return text


@dataclass(frozen=True, slots=True)
class Document:
    """The merged configuration with the place of every value, for errors about it."""

    root: Table

    def node(self, loc: Loc) -> Node | None:
        """The node at a place, or None."""
        node: Node | None = self.root
        for step in loc:
            node = child(node, step)
        return node

    def where(self, loc: Loc) -> str:
        """Where the value at `loc` was written (`relay.yaml:40:16`), or what is nearest around it."""
        return str(self._nearest(loc).origin)

    def where_key(self, loc: Loc) -> str:
        """Where the key at `loc` was written; for a member of a list, the member."""
        parent = self.node(loc[:-1])
        if loc and isinstance(parent, Table) and loc[-1] in parent.entries:
            return str(parent.entries[str(loc[-1])].key)
        return self.where(loc)

    def describe(self, loc: Loc) -> str:
        """The name of a place: `channels[security].to[0]`."""
        return describe(self.root, loc)

    def problem(self, loc: Loc, message: str, hint: str | None = None) -> Problem:
        """A problem with the value at `loc`. The message must not hold a secret."""
        return Problem(self.where(loc), self.describe(loc), message, hint)

    def _nearest(self, loc: Loc) -> Node:
        node: Node = self.root
        for step in loc:
            below = child(node, step)
            if below is None:
                break
            node = below
        return node
