"""Turns pydantic's ValidationError into our ConfigError: all problems at once, each with its place.

The text of a ValidationError is never used as it is, because it repeats what was read, secrets included.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from relay.config import address as addresses
from relay.config import shape as shapes
from relay.config import wording
from relay.config.shape import Shape
from relay.config.tree import Document, Items, Loc, Node, Scalar, Table, child, leaves, shown
from relay.model.errors import Problem

SHOWN_LENGTH: Final = 20
"""The longest value, in characters, that a message repeats: a longer one may be a misplaced secret."""

KNOWN_LISTED: Final = 16
"""The largest number of known keys that a message lists."""

_QUOTABLE: Final = frozenset(
    (
        *("duration_error", "size_error", "literal_error", "enum", "union_tag_invalid", "string_type"),
        *("int_type", "int_parsing", "int_from_float", "float_type", "float_parsing"),
        *("bool_type", "bool_parsing"),
    )
)
"""The errors that are clearer with the value beside them."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """One error of pydantic's, put in its place of the tree."""

    kind: str
    context: dict[str, Any]
    text: str
    loc: Loc
    kinds: Shape
    unions: tuple[tuple[Loc, str | int], ...]
    """The unions on the way, each with the member of it that pydantic tried."""
    of_key: bool


def problems(error: ValidationError, model: type[BaseModel], document: Document) -> tuple[Problem, ...]:
    """All problems that pydantic found with the document's data, in the order of the model."""
    writer = _Writer(model, document)
    groups = _grouped(_faults(error, model, document.root), document)
    # A key that is only mistyped is not missing as well.
    mistyped = {writer.meant(fault) for group in groups for fault in group if fault.kind == "extra_forbidden"}
    told = [group for group in groups if group[0].kind != "missing" or group[0].loc not in mistyped]
    return tuple(dict.fromkeys(writer.problem(group) for group in told))


def _faults(error: ValidationError, model: type[BaseModel], root: Node, before: Loc = ()) -> Iterator[_Fault]:
    for raw in error.errors(include_url=False, include_input=False):
        loc, context = (*before, *raw["loc"]), raw.get("ctx", {})
        nested = context.get("error")
        if isinstance(nested, ValidationError):
            yield from _faults(nested, model, root, loc)
        else:
            yield _place(raw["type"], context, raw["msg"], loc, (model, root))


def _place(
    kind: str, context: dict[str, Any], text: str, raw: Loc, top: tuple[type[BaseModel], Node]
) -> _Fault:
    """Follows pydantic's loc through the tree; it also holds the tags and names of a union's members."""
    kinds: Shape = (top[0],)
    node: Node | None = top[1]
    loc: Loc = ()
    unions: tuple[tuple[Loc, str | int], ...] = ()
    of_key = chosen = False
    for step in raw:
        if step == "[key]":
            of_key, kinds = True, shapes.keys(shapes.at(top[0], top[1], loc[:-1]))
        elif not chosen and _is_label(step, kinds, node):
            unions = (*unions, (loc, step))
            chosen, kinds = True, tuple(k for k in kinds if step in shapes.labels(k)) or kinds
        else:
            kinds, node, loc, chosen = shapes.below(kinds, step), child(node, step), (*loc, step), False
    if kind.startswith("union_tag") and "()" not in (tag := str(context.get("discriminator", "()"))):
        loc = (*loc, tag.strip("'"))
    return _Fault(kind, context, text, loc, kinds, unions, of_key)


def _is_label(step: str | int, kinds: Shape, node: Node | None) -> bool:
    if len(kinds) < 2 or isinstance(step, int):
        return False
    return any(step in shapes.labels(kind) for kind in kinds) or (
        child(node, step) is None and not _is_field(step, kinds)
    )


def _is_field(step: str, kinds: Shape) -> bool:
    return any(step in shapes.fields(model) for model in shapes.models(kinds))


def _grouped(faults: Iterable[_Fault], document: Document, depth: int = 0) -> list[list[_Fault]]:
    """One group per problem: all members of a union complain, and only those count that come nearest."""
    groups: dict[Loc | int, list[_Fault]] = {}
    for at, fault in enumerate(faults):
        groups.setdefault(fault.unions[depth][0] if len(fault.unions) > depth else at, []).append(fault)
    done: list[list[_Fault]] = []
    for union, group in groups.items():
        done += [group] if isinstance(union, int) else _nearest(group, union, document, depth)
    return done


def _nearest(faults: list[_Fault], union: Loc, document: Document, depth: int) -> list[list[_Fault]]:
    branches: dict[str | int, list[_Fault]] = {}
    for fault in faults:
        branches.setdefault(fault.unions[depth][1], []).append(fault)
    if len(branches) == 1:
        return _grouped(faults, document, depth + 1)
    inside: list[list[_Fault]] = [
        branch for branch in branches.values() if all(fault.loc != union for fault in branch)
    ]
    if inside:
        return _grouped(sorted(inside, key=len)[0], document, depth + 1)
    scalar = isinstance(document.node(union), Scalar)
    fit = [f for f in faults if f.loc == union and not (scalar and f.kind in wording.WRONG_SHAPE)]
    return [fit or faults]


@dataclass(slots=True)
class _Writer:
    model: type[BaseModel]
    document: Document
    _secrets: list[str] | None = None

    def meant(self, fault: _Fault) -> Loc:
        """The place that an unknown key was probably meant for; where there is none, the place of the key."""
        near = wording.nearest(str(fault.loc[-1]), self._known_keys(fault.loc[:-1]))
        return (*fault.loc[:-1], near or fault.loc[-1])

    def problem(self, faults: list[_Fault]) -> Problem:
        first = faults[0]
        message = wording.either(self._message(fault) for fault in faults)
        if (
            message.startswith(wording.MUST)
            and not first.of_key
            and any(fault.kind in _QUOTABLE for fault in faults)
        ):
            message += self._instead(first.loc)
        hint = next(filter(None, map(self._hint, faults)), None)
        return Problem(self._where(first), self.document.describe(first.loc), message, hint)

    def _where(self, fault: _Fault) -> str:
        if fault.kind == "extra_forbidden" or fault.of_key:
            return self.document.where_key(fault.loc)
        return self.document.where(fault.loc)

    def _message(self, fault: _Fault) -> str:
        if fault.of_key and shapes.words(fault.kinds):
            return wording.message("extra_forbidden", {}, (), "")
        if fault.kind == "union_tag_invalid":
            return f"must be {wording.choice(_tags(fault))}"
        if fault.kind == "union_tag_not_found":
            return "is missing"
        text = wording.message(fault.kind, fault.context, shapes.words(fault.kinds), fault.text)
        return text if fault.kind in wording.OURS else self._redacted(text)

    def _hint(self, fault: _Fault) -> str | None:
        if fault.of_key:
            return _one_of(str(fault.loc[-1]), shapes.words(fault.kinds))
        match fault.kind:
            case "extra_forbidden":
                return _one_of(str(fault.loc[-1]), self._known_keys(fault.loc[:-1]))
            case "union_tag_not_found":
                return f"write {wording.choice(shapes.words(shapes.below(fault.kinds, fault.loc[-1])))}"
            case "missing" if shapes.is_secret(fault.kinds):
                return self._ways(fault.loc)
            case "literal_error" | "enum":
                return self._near_word(fault.loc, shapes.words(fault.kinds))
            case "union_tag_invalid":
                return self._near_word(fault.loc, _tags(fault))
            case "string_type" if self._is_number(fault.loc):
                return "put it in quotes"
            case "list_type" if isinstance(self.document.node(fault.loc), Scalar | Table):
                return "put it in [ ]"
            case "bool_type" | "bool_parsing" | "missing":
                return None
        hint = fault.context.get("hint")
        return self._redacted(hint) if isinstance(hint, str) else None

    def _known_keys(self, loc: Loc) -> list[str]:
        models = shapes.models(shapes.at(self.model, self.document.root, loc))
        return list(
            dict.fromkeys(name for m in models for name in (*shapes.fields(m), *shapes.secret_files(m)))
        )

    def _ways(self, loc: Loc) -> str:
        variable = addresses.variable(self.document.root, loc)
        ways = [f'"{loc[-1]}"', f'"{loc[-1]}{shapes.FILE}"', *([variable] if variable else [])]
        return "set " + " or ".join(ways)

    def _near_word(self, loc: Loc, words: Iterable[str]) -> str | None:
        value = self._showable(loc)
        return None if value is None else wording.did_you_mean(value, words)

    def _is_number(self, loc: Loc) -> bool:
        node = self.document.node(loc)
        return isinstance(node, Scalar) and isinstance(node.value, int | float)

    def _instead(self, loc: Loc) -> str:
        match self.document.node(loc):
            case Scalar(value=None):
                return ", not empty"
            case Table():
                return ", not a mapping"
            case Items():
                return ", not a list"
        value = self._showable(loc)
        if value is None:
            return ""
        return f", not {value}" if self._is_number(loc) else f', not "{shown(value)}"'

    def _showable(self, loc: Loc) -> str | None:
        """The value, if it is short, was written in the file, and stands where no secret can."""
        node = self.document.node(loc)
        if not isinstance(node, Scalar) or not _open(node, shapes.at(self.model, self.document.root, loc)):
            return None
        text = str(node.value).lower() if isinstance(node.value, bool) else str(node.value)
        return text if len(text) <= SHOWN_LENGTH else None

    def _redacted(self, text: str) -> str:
        """A text that was not made here, without the values that may be secrets."""
        if self._secrets is None:
            root = self.document.root
            closed = (
                str(n.value) for loc, n in leaves(root) if not _open(n, shapes.at(self.model, root, loc))
            )
            self._secrets = sorted({value for value in closed if len(value) > 3}, key=len, reverse=True)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _one_of(word: str, known: Sequence[str]) -> str | None:
    near = wording.did_you_mean(word, known)
    return near or (f"known here: {', '.join(known)}" if 0 < len(known) <= KNOWN_LISTED else None)


def _open(node: Scalar, kinds: Shape) -> bool:
    return bool(kinds) and not node.hidden and not shapes.is_secret(kinds)


def _tags(fault: _Fault) -> list[str]:
    return [tag.strip(" '") for tag in str(fault.context.get("expected_tags", "")).split(",")]
