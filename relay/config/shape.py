"""Walks a pydantic model by the names that configuration uses: which fields, members and types a place has.

A place can have several types (a union), so a shape is the tuple of them, `None` left out.
"""

import enum
import types
import typing
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeAlias, Union

from pydantic import AliasChoices, BaseModel, RootModel, Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from relay.config.tree import Loc, Node, Scalar, Table, child

Shape: TypeAlias = tuple[Any, ...]

FILE: Final = "_file"
"""A key X_file beside a secret X names the file that X is read from."""


def shape(annotation: Any) -> Shape:
    """The types that an annotation allows."""
    origin: Any = typing.get_origin(annotation)
    if origin is Annotated:
        return shape(typing.get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return tuple(kind for part in typing.get_args(annotation) for kind in shape(part))
    if annotation is None or annotation is type(None):
        return ()
    if is_model(annotation) and issubclass(annotation, RootModel):
        return shape(annotation.model_fields["root"].annotation)
    return (annotation,)


def is_model(kind: Any) -> bool:
    """Whether a type is a pydantic model."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def is_literal(kind: Any) -> bool:
    """Whether a type is a choice of literal words."""
    origin: Any = typing.get_origin(kind)
    return origin is Literal


@lru_cache(maxsize=1024)
def fields(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """The model's fields by every name that a user may write; a field's first name comes first."""
    by_name = model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name")
    found: dict[str, FieldInfo] = {}
    for name, info in model.model_fields.items():
        alias = info.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        written = [choice for choice in choices if isinstance(choice, str)]
        if by_name or not written:
            written.append(name)
        found.update(dict.fromkeys(written, info))
    return found


@lru_cache(maxsize=1024)
def secret_files(model: type[BaseModel]) -> Mapping[str, str]:
    """The keys `X_file` that a model takes for its secrets, each with its X."""
    known = fields(model)
    return {
        name + FILE: name
        for name, info in known.items()
        if is_secret(shape(info.annotation)) and name + FILE not in known
    }


def is_secret(kinds: Shape) -> bool:
    """Whether a secret, or a list of secrets, may stand there."""
    return any(_is_secret(part) for kind in kinds for part in (kind, *items((kind,))))


def _is_secret(kind: Any) -> bool:
    bare = typing.get_origin(kind) or kind
    return isinstance(bare, type) and issubclass(bare, SecretStr | SecretBytes | Secret)


def items(kinds: Shape) -> Shape:
    """The types of the members, where a list may stand."""
    return tuple(part for kind in kinds for part in _arguments(kind, (Sequence, AbstractSet), 0))


def values(kinds: Shape) -> Shape:
    """The types of the values, where a mapping with free keys may stand."""
    return tuple(part for kind in kinds for part in _arguments(kind, (Mapping,), 1))


def keys(kinds: Shape) -> Shape:
    """The types of the keys, where a mapping with free keys may stand."""
    return tuple(part for kind in kinds for part in _arguments(kind, (Mapping,), 0))


def _arguments(kind: Any, bases: tuple[type, ...], at: int) -> Shape:
    origin = typing.get_origin(kind) or kind
    if not isinstance(origin, type) or issubclass(origin, str | bytes) or not issubclass(origin, bases):
        return ()
    arguments = typing.get_args(kind)
    return shape(arguments[at]) if len(arguments) > at else (Any,)


def models(kinds: Shape) -> tuple[type[BaseModel], ...]:
    """The models among the types."""
    return tuple(kind for kind in kinds if is_model(kind))


def words(kinds: Shape) -> tuple[str, ...]:
    """The words that literals and enumerations allow."""
    found: dict[str, None] = {}
    for kind in kinds:
        if is_literal(kind):
            found.update(dict.fromkeys(str(word) for word in typing.get_args(kind)))
        elif isinstance(kind, type) and issubclass(kind, enum.Enum):
            found.update(dict.fromkeys(str(member.value) for member in kind))
    return tuple(found)


def below(kinds: Shape, step: str | int) -> Shape:
    """What may stand one step below."""
    if isinstance(step, int):
        return items(kinds)
    found: list[Any] = []
    for model in models(kinds):
        known = fields(model)
        if step in known:
            found += shape(known[step].annotation)
        elif step in secret_files(model):
            found.append(str)
    return (*found, *values(kinds))


def fitting(kinds: Shape, node: Node | None) -> Shape:
    """The types that the node can be: where a union is told apart by a literal, the one that it says."""
    if not isinstance(node, Table):
        return kinds
    rest = tuple(kind for kind in kinds if not is_model(kind) or not _contradicts(kind, node))
    return rest or kinds


def _contradicts(model: type[BaseModel], table: Table) -> bool:
    for name, allowed in _literals(model).items():
        said = child(table, name)
        if isinstance(said, Scalar) and str(said.value) not in allowed:
            return True
    return False


@lru_cache(maxsize=1024)
def _literals(model: type[BaseModel]) -> Mapping[str, tuple[str, ...]]:
    """The words of the fields that are nothing but a choice of words."""
    kinds = {name: shape(info.annotation) for name, info in fields(model).items()}
    return {name: words(found) for name, found in kinds.items() if found and all(map(is_literal, found))}


def at(model: type[BaseModel], root: Node, loc: Loc) -> Shape:
    """What the model allows at a place of the tree; empty where it knows none."""
    kinds: Shape = fitting((model,), root)
    node: Node | None = root
    for step in loc:
        node = child(node, step)
        kinds = fitting(below(kinds, step), node)
    return kinds


def labels(kind: Any) -> tuple[str, ...]:
    """The words by which pydantic may call a model of a union in an error's loc."""
    if not is_model(kind):
        return ()
    literals = (info.annotation for info in kind.model_fields.values() if is_literal(info.annotation))
    return (kind.__name__, *(word for literal in literals for word in words((literal,))))
