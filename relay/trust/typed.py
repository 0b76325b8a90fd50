"""From trust data to the typed details of events: tags as notary lists them, keys by the ids it shows."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from relay.model import trust_details as t
from relay.trust.state import Listed, State, listing


def signed_tags(found: Iterable[Listed]) -> list[t.SignedTag]:
    """Return tags, so many of them as one event lists."""
    listed = list(found)[: t.MOST_LISTED]
    return [t.SignedTag(tag=tag.name, role=tag.role, sha256=tag.sha256, length=tag.length) for tag in listed]


def more_than_listed(found: Sequence[object]) -> int:
    """Return how many more there are than one event lists."""
    return max(0, len(found) - t.MOST_LISTED)


def key_ids(ids: Iterable[str], state: State) -> list[str]:
    """Return the ids of a state's keys as ``notary key list`` shows them: without their certificates."""
    return sorted({_shown(id, state) for id in ids})


def _shown(id: str, state: State) -> str:
    # It costs 8 MiB, which only those have to pay who need it.
    from relay.trust.keys import canonical_id

    return canonical_id(*state.public_keys[id]) or id if id in state.public_keys else id


def same_root(before: State, after: State) -> bool:
    """Tell whether as many keys of the former root signed the new one as the former one demands.

    Whatever certificates they are in: for each life of a repository, notary makes a new one.
    """
    mine = set(key_ids(before.roles["root"].keys, before))
    signed = set(key_ids(after.signers["root"], after))
    return len(mine & signed) >= before.roles["root"].threshold


def lost(state: State, written_at: datetime | None, *, exact: bool) -> t.Lost:
    """Return what a repository held; ``exact`` if that was its last version."""
    tags = listing(state)
    return t.Lost(
        exact=exact,
        version=state.versions["timestamp"],
        written_at=written_at,
        tags=signed_tags(tags),
        more=more_than_listed(tags),
        signers=[
            t.Signer(role=role, keys=key_ids(keys.keys, state), threshold=keys.threshold)
            for role, keys in sorted(state.roles.items())
            if role.startswith("targets/")
        ],
        root_keys=key_ids(state.roles["root"].keys, state),
        targets_keys=key_ids(state.roles["targets"].keys, state),
        expires=[t.Expiry(role=role, at=at) for role, at in sorted(state.expires.items())],
    )
