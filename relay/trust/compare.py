"""What changed between two states of a repository's trust data. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from relay.trust.state import Keys, Listed, State


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


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed; everything in the order of its names."""

    tags_added: tuple[Listed, ...] = ()
    tags_removed: tuple[Listed, ...] = ()
    tags_moved: tuple[Moved, ...] = ()
    signers_added: tuple[Signer, ...] = ()
    signers_removed: tuple[Signer, ...] = ()
    rotated: tuple[Rotated, ...] = ()
    regressed: tuple[Regressed, ...] = ()


def changes(before: State, after: State) -> Changes:
    """Return what changed from one state to the other, both of the same life of a repository."""
    old, new = _tags(before), _tags(after)
    return Changes(
        tags_added=tuple(tag for key, tag in new.items() if key not in old),
        tags_removed=tuple(tag for key, tag in old.items() if key not in new),
        tags_moved=tuple(
            Moved(old[key], tag) for key, tag in new.items() if key in old and old[key].sha256 != tag.sha256
        ),
        signers_added=_signers(after.roles, before.roles),
        signers_removed=_signers(before.roles, after.roles),
        rotated=tuple(
            Rotated(role, _without(after, before, role), _without(before, after, role))
            for role in ("root", "snapshot", "targets", "timestamp")
            if set(before.roles[role].keys) != set(after.roles[role].keys)
        ),
        regressed=tuple(
            Regressed(role, before.versions[role], version)
            for role, version in sorted(after.versions.items())
            if role in before.versions and version < before.versions[role]
        ),
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
