"""Finds what a `RELAY_…` name addresses: `CLUSTERS__PROD__URL` is `clusters`, its member "prod", `url`.

Names are compared upper-cased and with every character that is not alphanumeric as `_`. Members of lists
are called by their `name`. Because `_` stands for many characters, all readings are tried.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from relay.config import shape as shapes
from relay.config.shape import Shape
from relay.config.tree import Items, Loc, Node, Table, child, member_name

PREFIX: Final = "RELAY_"
SEPARATOR: Final = "__"


@dataclass(frozen=True, slots=True)
class New:
    """A member of a list that does not exist yet."""

    name: str


Address: TypeAlias = tuple[str | int | New, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """One way to go on: how a variable calls it, where it leads."""

    word: str
    step: str | int | New
    kinds: Shape
    node: Node | None


def normal(name: str) -> str:
    """A name as it is written in a variable's name."""
    return re.sub("[^A-Z0-9]", "_", name.upper())


def variable(root: Node, loc: Loc) -> str | None:
    """The variable that sets a place; None below a member of a list that has no name."""
    words: list[str] = []
    node: Node | None = root
    for step in loc:
        below = child(node, step)
        called = step if isinstance(step, str) else member_name(below)
        if called is None:
            return None
        words.append(normal(called))
        node = below
    return PREFIX + SEPARATOR.join(words)


def find(kinds: Shape, node: Node | None, rest: str) -> list[Address]:
    """All readings of a name (normalised, without prefix); a new member is the last resort."""
    known = list(dict.fromkeys(_read(_steps(kinds, node), rest)))
    return known or list(dict.fromkeys(_read(_created(kinds, node, rest), rest)))


def below(kinds: Shape, node: Node | None, address: Address) -> Shape:
    """What the model allows at an address."""
    for step in address:
        kinds = shapes.fitting(kinds, node)
        kinds = shapes.below(kinds, 0 if isinstance(step, New) else step)
        node = None if isinstance(step, New) else child(node, step)
    return kinds


def near(kinds: Shape, node: Node | None, rest: str) -> str | None:
    """The name that was probably meant by one that leads nowhere: a typing error, or `_` for `__`."""
    steps = list(_steps(kinds, node))
    if any(rest == step.word for step in steps):
        return rest
    for step in (*sorted(steps, key=lambda step: -len(step.word)), *_created(kinds, node, rest)):
        if rest.startswith(step.word + "_"):
            tail = rest[len(step.word) :].lstrip("_")
            meant = near(step.kinds, step.node, tail)
            if meant is not None:
                return step.word + SEPARATOR + meant
    word, separator, tail = rest.partition(SEPARATOR)
    for guess in difflib.get_close_matches(word, [step.word for step in steps], n=1, cutoff=0.7):
        step = next(step for step in steps if step.word == guess)
        if not separator:
            return guess
        rest_meant = near(step.kinds, step.node, tail)
        return None if rest_meant is None else guess + SEPARATOR + rest_meant
    return None


def _read(steps: Iterator[_Step], rest: str) -> Iterator[Address]:
    for step in steps:
        if rest == step.word:
            yield (step.step,)
        elif rest.startswith(step.word + SEPARATOR):
            for tail in find(step.kinds, step.node, rest[len(step.word) + len(SEPARATOR) :]):
                yield (step.step, *tail)


def _steps(kinds: Shape, node: Node | None) -> Iterator[_Step]:
    kinds = shapes.fitting(kinds, node)
    names = [
        name for model in shapes.models(kinds) for name in (*_written(model), *shapes.secret_files(model))
    ]
    if shapes.values(kinds):
        names += [*(node.entries if isinstance(node, Table) else ()), *shapes.words(shapes.keys(kinds))]
    for name in dict.fromkeys(names):
        yield _Step(normal(name), name, shapes.below(kinds, name), child(node, name))
    if isinstance(node, Items) and _named(kinds):
        member_kinds = shapes.items(kinds)
        for at, member in enumerate(node.members):
            if called := member_name(member):
                yield _Step(normal(called), at, member_kinds, member)


def _created(kinds: Shape, node: Node | None, rest: str) -> Iterator[_Step]:
    word = rest.partition(SEPARATOR)[0]
    if not word or any(step.word == word for step in _steps(kinds, node)):
        return
    if _named(kinds):
        yield _Step(word, New(word.lower()), shapes.items(kinds), None)
    if shapes.values(kinds) and not shapes.words(shapes.keys(kinds)):
        yield _Step(word, word.lower(), shapes.values(kinds), None)


def _named(kinds: Shape) -> bool:
    return any("name" in shapes.fields(model) for model in shapes.models(shapes.items(kinds)))


def _written(model: type) -> Iterator[str]:
    """A field's first name, which is the one that the file uses."""
    seen: set[int] = set()
    for name, info in shapes.fields(model).items():
        if id(info) not in seen:
            seen.add(id(info))
            yield name
