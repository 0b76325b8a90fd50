"""Lays `RELAY_…` variables over the tree: each sets one place of it, and remembers which variable did.

An empty variable counts as not set, so that a template of a `.env` file can be left half filled in.
"""

import difflib
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import BaseModel

from relay.config import address as addresses
from relay.config import shape as shapes
from relay.config.address import PREFIX, Address, New, normal
from relay.config.shape import Shape
from relay.config.tree import Entry, Items, Layer, Loc, Node, Origin, Scalar, Table, child, describe
from relay.config.variables import Variable
from relay.model.errors import Problem

SECRET_FILE: Final = normal(shapes.FILE)
MAX_DEPTH: Final = 40

# Kubernetes sets these in every pod when a service is called "relay".
_SERVICE_LINK = re.compile(
    r"RELAY_([A-Z0-9]+_)*(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


@dataclass(frozen=True, slots=True)
class Shorthand:
    """A variable with a short name for one place of the tree.

    `path` is the way there, members of lists by name: `("channels", "slack", "webhook_url")`. `fixed` are
    values that such a member gets beside it unless it has them: `{"kind": "slack"}`.
    """

    path: tuple[str, ...]
    fixed: Mapping[str, str] = field(default_factory=dict)


class _ClashError(Exception):
    """A variable addresses a part of what is a single value."""


@dataclass(slots=True)
class Overlay:
    """Lays variables over a tree; `known` names are used elsewhere (RELAY_CONFIG) and skipped."""

    model: type[BaseModel]
    shorthands: Mapping[str, Shorthand]
    known: Collection[str]
    report: Callable[[Problem], None]

    def apply(self, root: Table, variables: Mapping[str, Variable]) -> Table:
        """The tree with one layer's variables in it."""
        used = [v for v in variables.values() if v.value and normal(v.name).startswith(PREFIX)]
        setters: dict[Address, Variable] = {}
        # A whole comes before its parts, so that a part can be set beside a whole that is given as JSON.
        for variable in sorted(used, key=self._order):
            root = self._lay(root, variable, setters)
        return root

    def _order(self, variable: Variable) -> tuple[str, str]:
        return self._long(normal(variable.name)), variable.name

    def _short(self, name: str) -> Shorthand | None:
        """The shorthand of a name; a secret's also serves the name with `_FILE`."""
        return self.shorthands.get(name) or self.shorthands.get(name.removesuffix(SECRET_FILE))

    def _long(self, name: str) -> str:
        """The long form of a name, without its prefix."""
        short = self._short(name)
        if short is None:
            return name.removeprefix(PREFIX)
        suffix = "" if name in self.shorthands else SECRET_FILE
        return addresses.SEPARATOR.join(map(normal, short.path)) + suffix

    def _lay(self, root: Table, variable: Variable, setters: dict[Address, Variable]) -> Table:
        name = normal(variable.name)
        if name in self.known:
            return root
        found = addresses.find((self.model,), root, self._long(name))
        if len(found) != 1:
            self._unclear(root, variable, found)
            return root
        address = found[0]
        first = setters.setdefault(address, variable)
        if first is not variable and first.value != variable.value:
            self._complain(variable, f"sets the same as {first.name}", "set one of them")
            return root
        try:
            return self._put(root, address, variable)
        except _ClashError as clash:
            self._complain(variable, str(clash), "write it as a mapping there, or set the whole as JSON here")
        except ValueError:
            self._complain(variable, "is not valid JSON", "a list is written [1, 2], a mapping {…}")
        return root

    def _put(self, root: Table, address: Address, variable: Variable) -> Table:
        kinds = addresses.below((self.model,), root, address)
        value = from_text(kinds, variable.value, variable.origin)
        laid = _put(root, address, value, variable.origin)
        member = _member(laid, address)
        short = self._short(normal(variable.name))
        if member and short is not None and short.fixed:
            laid = _complete(laid, member, short.fixed, variable.origin)
        assert isinstance(laid, Table)
        return laid

    def _unclear(self, root: Table, variable: Variable, found: list[Address]) -> None:
        name = normal(variable.name)
        if found:
            places = " and ".join(describe(root, _loc(address)) for address in found)
            self._complain(variable, f"could mean {places}", "rename one of them, or set it in the file")
        elif (short := self._short(name)) is not None:
            place = ".".join(short.path)
            message = f"stands for {place}, and what the configuration has by that name takes no such setting"
            self._complain(variable, message, "rename that, or unset the variable")
        elif not _SERVICE_LINK.fullmatch(name):
            meant = self._near(root, name)
            self._complain(variable, "unknown variable", f"did you mean {meant}?" if meant else None)

    def _near(self, root: Table, name: str) -> str | None:
        short = [*self.shorthands, *self.known]
        close = difflib.get_close_matches(name, short, n=1, cutoff=0.85)
        if close:
            return close[0]
        meant = addresses.near((self.model,), root, name.removeprefix(PREFIX))
        return PREFIX + meant if meant else None

    def _complain(self, variable: Variable, message: str, hint: str | None) -> None:
        key = variable.name if variable.origin.layer is Layer.DOTENV else ""
        self.report(Problem(str(variable.origin), key, message, hint))


def from_text(kinds: Shape, text: str, origin: Origin) -> Node:
    """What a variable's text stands for where the types may stand.

    JSON where a list or a mapping may stand and the text looks like one; a list of plain values is split at
    commas; a list of secrets is not, because a secret may hold commas. Raises ValueError for broken JSON.
    """
    listed = shapes.items(kinds)
    whole = bool(listed or shapes.values(kinds) or shapes.models(kinds))
    single = [kind for kind in kinds if not _whole(kind)]
    if whole and text.lstrip()[:1] in ("[", "{"):
        try:
            return _from_json(json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse), origin)
        except (ValueError, RecursionError):
            if not single:
                raise ValueError from None
    if listed and not single and not shapes.models(listed):
        parts = [text] if shapes.is_secret(listed) else [part.strip() for part in text.split(",")]
        return Items(tuple(Scalar(part, origin, hidden=True) for part in parts if part), origin)
    return Scalar(text, origin, hidden=True)


def _whole(kind: Any) -> bool:
    return bool(shapes.items((kind,)) or shapes.values((kind,)) or shapes.models((kind,)))


def _from_json(data: Any, origin: Origin, depth: int = 1) -> Node:
    if depth > MAX_DEPTH:
        raise ValueError
    if isinstance(data, dict):
        entries = {key: Entry(origin, _from_json(value, origin, depth + 1)) for key, value in data.items()}
        return Table(entries, origin)
    if isinstance(data, list):
        return Items(tuple(_from_json(member, origin, depth + 1) for member in data), origin)
    return Scalar(data, origin, hidden=True)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError
    return data


def _refuse(_: str) -> Any:
    raise ValueError


def _put(node: Node | None, address: Address, value: Node, origin: Origin) -> Node:
    if not address:
        return value
    step, rest = address[0], address[1:]
    empty = node is None or (isinstance(node, Scalar) and node.value is None)
    if isinstance(step, str):
        table = Table({}, origin) if empty else node
        if not isinstance(table, Table):
            raise _ClashError(f"sets a part of {_of(node)}, which is not a mapping")
        entry = Entry(origin, _put(child(table, step), rest, value, origin))
        if rest and step in table.entries:
            entry = replace(entry, key=table.entries[step].key)
        return Table({**table.entries, step: entry}, table.origin)
    items = Items((), origin) if empty else node
    if not isinstance(items, Items):
        raise _ClashError(f"sets a member of {_of(node)}, which is not a list")
    members = list(items.members)
    if isinstance(step, New):
        made = _put(Table({}, origin), rest, value, origin)
        members.append(_complete(made, (), {"name": step.name}, origin))
    else:
        members[step] = _put(members[step], rest, value, origin)
    return Items(tuple(members), items.origin)


def _member(root: Node, address: Address) -> Loc:
    """Where the member of a list is, now that it exists, that an address goes through."""
    loc: Loc = ()
    node: Node | None = root
    for step in address:
        if not isinstance(step, str):
            last = len(node.members) - 1 if isinstance(node, Items) else 0
            return (*loc, last if isinstance(step, New) else step)
        loc, node = (*loc, step), child(node, step)
    return ()


def _complete(root: Node, loc: Loc, fixed: Mapping[str, str], origin: Origin) -> Node:
    """The tree with values added to the mapping at `loc` that it does not have."""
    for key, value in fixed.items():
        node: Node | None = root
        for step in loc:
            node = child(node, step)
        if isinstance(node, Table) and key not in node.entries:
            root = _put(root, (*loc, key), Scalar(value, origin), origin)
    return root


def _loc(address: Address) -> Loc:
    return tuple(step.name if isinstance(step, New) else step for step in address)


def _of(node: Node | None) -> str:
    return "nothing" if node is None else f"the value at {node.origin}"
