"""An index over what many rules match: those that may take an event are found without asking each. Pure."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, product
from typing import Any, Final

from relay.engine.matching import Matchable
from relay.engine.rules import Match
from relay.model.event import SubjectKind, namespace_of
from relay.model.patterns import fixed_start

_Label = tuple[str, str]
_Key = tuple[str | None, str | None, str | None, _Label | None]
"""A type or a family of types, a cluster, a namespace, a label with its value; None stands for any."""
_MOST: Final = 64
"""A match is entered under so many keys at the most, or as many as it names namespaces."""


class Index:
    """Says which of many matches may take an event, by its type, cluster, namespace and labels.

    What a match leaves open of these, or writes as a glob that cannot be looked up, is found under any value.
    So an event finds everything that takes it and little else; what it finds is still to be asked.
    """

    def __init__(self, matches: Iterable[Match]) -> None:
        # A tree: by type, below by cluster, by namespace, by label; its leaves are lists of places.
        self._tree: dict[Any, Any] = {}
        self._labelled = False
        count = 0
        for place, match in enumerate(matches):
            for of_type, cluster, namespace, label in _keys(match):
                below = self._tree.setdefault(of_type, {}).setdefault(cluster, {}).setdefault(namespace, {})
                below.setdefault(label, []).append(place)
                self._labelled = self._labelled or label is not None
            count = place + 1
        self._all = range(count)

    def may_take(self, event: Matchable) -> Sequence[int]:
        """Return the places of the matches that may take the event, in order: of the others none does."""
        name = event.subject.name if event.subject.kind is SubjectKind.REPOSITORY else None
        if name == "":
            # It may concern any repository, so it is told under every namespace.
            return self._all
        return self._under(
            (event.type, _family(event.type), None),
            _or_any(event.cluster or ""),
            _or_any(None if name is None else namespace_of(name)),
            (*event.labels.items(), None) if self._labelled else (None,),
        )

    def may_cover(self, match: Match) -> Sequence[int]:
        """Return the places of the matches that may take all that another one does, in order."""
        of_type = _each(match.type, _type)[0]
        labels = ((name, _each(globs, _whole)[0]) for name, globs in match.labels.items())
        return self._under(
            _or_any(None) if of_type is None else dict.fromkeys((of_type, _family(of_type), None)),
            _or_any(_each(match.cluster, _whole)[0]),
            _or_any(_each(match.repository, _namespace)[0]),
            (*labels, None),
        )

    def _under(self, *looked_up: Iterable[Any]) -> Sequence[int]:
        """Return what is found under any of the types, clusters, namespaces and labels."""
        found: list[Any] = [self._tree]
        for names in looked_up:
            found = [node[name] for node in found for name in names if name in node]
        return found[0] if len(found) == 1 else sorted(chain.from_iterable(found))


def _or_any(name: str | None) -> Sequence[str | None]:
    return (None,) if name is None else (name, None)


def _keys(match: Match) -> Iterable[_Key]:
    """Return the keys under which a match is found; an event that it takes has one of them, and only one."""
    types = _each(match.type, _type)
    # What names a family and one of its types would be found under both.
    types = [name for name in types if name is None or name.endswith(".") or _family(name) not in types]
    clusters = _each(match.cluster, _whole)
    namespaces = _each(match.repository, _namespace)
    labels = _label(match)
    if len(types) * len(clusters) * len(namespaces) * len(labels) > _MOST:
        labels = [None]
    if len(types) * len(clusters) * len(namespaces) > _MOST:
        types = [None]
    if len(clusters) * len(namespaces) > _MOST:
        clusters = [None]
    return product(types, clusters, namespaces, labels)


def _each(globs: list[str] | None, looked_up: Callable[[str], str | None]) -> list[str | None]:
    """Return the values by which globs can be looked up, each once; any, if that cannot be said of all."""
    wanted = [glob for glob in globs or () if not glob.startswith("!")]
    found = dict.fromkeys(map(looked_up, wanted))
    return [None] if not found or None in found else list(found)


def _type(glob: str) -> str | None:
    start = fixed_start(glob)
    if start == glob:
        return glob
    return _family(start) if "." in start else None


def _family(name: str) -> str:
    """Return what the names of related types begin with: `trust.`, which is itself the name of none."""
    return name.partition(".")[0] + "."


def _whole(glob: str) -> str | None:
    return glob if fixed_start(glob) == glob else None


def _namespace(glob: str) -> str | None:
    start = fixed_start(glob)
    return namespace_of(start) if start == glob or "/" in start else None


def _label(match: Match) -> list[_Label | None]:
    """Return the values of the first label that can be looked up: one is enough."""
    for name, globs in match.labels.items():
        values = _each(globs, _whole)
        if None not in values:
            return [(name, value) for value in values if value is not None]
    return [None]
