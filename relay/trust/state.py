"""The compact form of a repository's trust data at one moment: what is kept, and compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import AwareDatetime, TypeAdapter, ValidationError

FORMAT = 1
"""The format of what ``State.write`` writes."""

BASE_ROLES = ("root", "snapshot", "targets", "timestamp")
"""The roles that every repository has. All others are delegations."""


class Tag(NamedTuple):
    """What is signed under a tag: the SHA-256 of the manifest, in hex, and its size in bytes.

    The first is empty if only a SHA-512 is signed, which is not kept; nobody does that for images.
    """

    sha256: str
    length: int


class Keys(NamedTuple):
    """The keys that speak for a role, by their ids, and how many of them must sign.

    ``paths`` are how the names of tags must begin that a delegation may sign, narrowed by its parents.
    """

    keys: tuple[str, ...]
    threshold: int
    paths: tuple[str, ...] = ("",)


class Listed(NamedTuple):
    """A signed tag as it is listed: with the role that answers for it."""

    name: str
    role: str
    sha256: str
    length: int


@dataclass(frozen=True, slots=True)
class State:
    """A repository's trust data, as it was when it was verified.

    ``sha256`` is that of the timestamp metadata, in hex, which is what notary's record holds. ``versions``,
    ``expires`` and ``hashes`` (SHA-256, in hex) are by role: root, timestamp, snapshot, targets and the
    delegations, which are called ``targets/NAME``. ``tags`` are by role and name, ``roles`` the keys of each.
    ``public_keys`` are type and public part of each key by id, as notary writes them: what comes later is
    judged by them. ``signers`` are the ids of the keys whose good signature stands on each role's metadata.
    ``unsigned`` are delegations whose metadata too few of their keys have signed: clients pass over them, as
    after a key was taken away, and their tags are not listed. ``certificates`` are when those of the root's
    keys end, by key id.

    ``tags`` holds only what a role may sign. Roles are in the order in which notary looks for a tag: level by
    level. A delegation that nobody has signed for yet has keys, but no version and no tags.
    """

    sha256: str
    versions: Mapping[str, int]
    expires: Mapping[str, AwareDatetime]
    hashes: Mapping[str, str]
    tags: Mapping[str, Mapping[str, Tag]]
    roles: Mapping[str, Keys]
    public_keys: Mapping[str, tuple[str, str]]
    signers: Mapping[str, tuple[str, ...]]
    unsigned: tuple[str, ...] = ()
    certificates: Mapping[str, AwareDatetime] = field(default_factory=dict)
    format: int = FORMAT

    def write(self) -> str:
        """Return the state as a JSON text."""
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def read(cls, text: str) -> "State":
        """Return the state that ``write`` wrote. Raises ValueError for anything else."""
        try:
            found = _ADAPTER.validate_json(text)
        except ValidationError as error:
            raise ValueError(f"no state of trust data ({error.error_count()} errors)") from None
        if found.format != FORMAT:
            raise ValueError(f"a state of format {found.format}; this release knows {FORMAT}")
        if not _is_whole(found):
            raise ValueError("a state of trust data whose parts do not fit together")
        return found


_ADAPTER = TypeAdapter(State)


def _is_whole(state: State) -> bool:
    """Whether everything is there that one part of a state says of another."""
    signed = state.versions.keys()
    return (
        all(role in state.roles and role in signed for role in BASE_ROLES)
        and signed == state.expires.keys() == state.signers.keys()
        and signed | set(state.unsigned) == state.hashes.keys() <= state.roles.keys()
        and signed - {"root", "snapshot", "timestamp"} == state.tags.keys()
        and all(key in state.public_keys for role in state.roles.values() for key in role.keys)
    )


def listing(state: State) -> list[Listed]:
    """Return the signed tags as ``notary list`` shows them: by name, each name once.

    A name that several roles have signed is that of ``targets``, else of the first delegation, level by level
    (notary, ``ListTargets`` in client/reader.go). ``State.tags`` has them all.
    """
    found: dict[str, Listed] = {}
    for role, tags in state.tags.items():
        for name, tag in tags.items():
            found.setdefault(name, Listed(name, role, *tag))
    return sorted(found.values())
