"""Expands `${VAR}`, `${VAR:-default}` and `$${` in the values of a tree; keys are never touched.

It happens after parsing, so whatever a variable holds, it stays one value. What a variable holds is not
expanded again.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from relay.config.tree import Entry, Items, Loc, Node, Origin, Scalar, Table, shown

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the value that was written at `origin`, `loc` in the tree."""

    loc: Loc
    origin: Origin
    message: str
    hint: str | None = None


def interpolate(node: Node, variables: Mapping[str, str], report: Callable[[Finding], None]) -> Node:
    """The tree with its variables expanded.

    A value that held a reference becomes text and hidden. What cannot be expanded is reported and left empty.
    """
    return _expand(node, (), variables, report)


def _expand(node: Node, loc: Loc, variables: Mapping[str, str], report: Callable[[Finding], None]) -> Node:
    match node:
        case Table(entries, origin):
            return Table(
                {
                    key: Entry(entry.key, _expand(entry.value, (*loc, key), variables, report))
                    for key, entry in entries.items()
                },
                origin,
            )
        case Items(members, origin):
            return Items(
                tuple(_expand(member, (*loc, at), variables, report) for at, member in enumerate(members)),
                origin,
            )
        case Scalar(value=str() as text, origin=origin) if "${" in text:
            value, troubles = _text(text, variables)
            for message, hint in troubles:
                report(Finding(loc, origin, message, hint))
            return Scalar("" if troubles else value, origin, hidden=True)
        case _:
            return node


def _text(text: str, variables: Mapping[str, str]) -> tuple[str, list[tuple[str, str]]]:
    """The text with its references expanded; and of each that cannot be, what is wrong and what to do."""
    troubles: list[tuple[str, str]] = []

    def value(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        if found[0] == "$${":
            return "${"
        if name is None:
            troubles.append(
                ('a "${" begins no ${NAME} or ${NAME:-default}', 'write "$${" for the characters')
            )
            return ""
        known = variables.get(name, "")
        if default is not None:
            return known or default
        if name not in variables:
            hint = f'set it in the environment or in .env, or write "${{{shown(name)}:-default}}"'
            troubles.append((f"the variable {shown(name)} is not set", hint))
        return known

    return _REFERENCE.sub(value, text), troubles
