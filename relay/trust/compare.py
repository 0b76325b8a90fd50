"""What changed between two states of a repository's trust data. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from relay.trust.state import BASE_ROLES, Keys, Listed, State


class Moved(NamedTuple):
    """A tag under which something else is signed than before."""

    before: Listed
    now: Listed


class Signer(NamedTuple):
    """A delegation, and keys of it that came or went."""

    role: str
    keys: tuple[str, ...]
    threshold: int


class Rotated(NamedTuple):
    """A role of the root, and its keys that came or went."""

    role: str
    added: tuple[str, ...]
    removed: tuple[str, ...]


class Regressed(NamedTuple):
    """A role whose version went back."""

    role: str
    before: int
    after: int


class Threshold(NamedTuple):
    """A role that now needs another number of signatures."""

    role: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed; everything in the order of its names.

    Tags are compared role by role. ``unsigned`` are delegations that no longer verify, so that their tags
    count no more (and are among those removed); ``signed_again`` those that do so again.
    """

    tags_added: tuple[Listed, ...] = ()
    tags_removed: tuple[Listed, ...] = ()
    tags_moved: tuple[Moved, ...] = ()
    signers_added: tuple[Signer, ...] = ()
    signers_removed: tuple[Signer, ...] = ()
    rotated: tuple[Rotated, ...] = ()
    regressed: tuple[Regressed, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    unsigned: tuple[str, ...] = ()
    signed_again: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return any(getattr(self, each.name) for each in fields(self))


def changes(before: State, after: State) -> Changes:
    """Return what changed from one state to the other, both of the same life of a repository."""
    old, new = _tags(before), _tags(after)
    return Changes(
        tags_added=tuple(tag for key, tag in new.items() if key not in old),
        tags_removed=tuple(tag for key, tag in old.items() if key not in new),
        tags_moved=tuple(Moved(old[key], tag) for key, tag in new.items() if key in old and old[key] != tag),
        signers_added=_signers(after.roles, before.roles),
        signers_removed=_signers(before.roles, after.roles),
        rotated=tuple(
            Rotated(role, _without(after, before, role), _without(before, after, role))
            for role in BASE_ROLES
            if set(before.roles[role].keys) != set(after.roles[role].keys)
        ),
        regressed=tuple(
            Regressed(role, before.versions[role], version)
            for role, version in sorted(after.versions.items())
            if role in before.versions and version < before.versions[role]
        ),
        thresholds=tuple(
            Threshold(role, before.roles[role].threshold, keys.threshold)
            for role, keys in sorted(after.roles.items())
            if role in before.roles and before.roles[role].threshold != keys.threshold
        ),
        unsigned=tuple(sorted(set(after.unsigned) - set(before.unsigned))),
        signed_again=tuple(sorted(set(before.unsigned) & after.versions.keys())),
    )


def _tags(state: State) -> dict[tuple[str, str], Listed]:
    found = {
        (name, role): Listed(name, role, *tag)
        for role, tags in state.tags.items()
        for name, tag in tags.items()
    }
    return dict(sorted(found.items()))


def _signers(here: Mapping[str, Keys], there: Mapping[str, Keys]) -> tuple[Signer, ...]:
    """Return the delegations, and keys of delegations, that are here and not there."""
    found = []
    for role, keys in sorted(here.items()):
        if not role.startswith("targets/"):
            continue
        others = there[role].keys if role in there else ()
        own = tuple(key for key in keys.keys if key not in others)
        if own or role not in there:
            found.append(Signer(role, own, keys.threshold))
    return tuple(found)


def _without(here: State, there: State, role: str) -> tuple[str, ...]:
    return tuple(key for key in here.roles[role].keys if key not in there.roles[role].keys)
