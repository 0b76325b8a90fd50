"""The typed ``details`` of the events that tell what trust data holds, held, or lost.

A contract as those of relay.model.details: fields are added, never renamed or removed.
"""

from datetime import datetime

from pydantic import Field

from relay.model.details import Details, TrustRecord

MOST_LISTED = 1000
"""So many tags one event lists; the rest is counted."""


class SignedTag(Details):
    """A tag and what is signed under it."""

    tag: str = Field(description="the tag")
    role: str = Field(description="who answers for it: targets, or a delegation such as targets/releases")
    sha256: str = Field(description="digest of the image's manifest, in hex")
    length: int = Field(description="size of the manifest, in bytes")


class MovedTag(Details):
    """A tag under which something else is signed than before."""

    tag: str = Field(description="the tag")
    role: str = Field(description="who answers for it: targets, or a delegation such as targets/releases")
    before: str = Field(description="digest of the manifest that was signed before, in hex")
    after: str = Field(description="digest of the one that is signed now, in hex")
    length: int = Field(description="size of the manifest that is signed now, in bytes")


class Signer(Details):
    """A delegation, and the keys that may sign for it."""

    role: str = Field(description="the delegation's name, such as targets/releases")
    keys: list[str] = Field(description="ids of its keys, as `notary key list` shows them")
    threshold: int = Field(description="how many of them must sign")


class Expiry(Details):
    """When the metadata of a role expires."""

    role: str = Field(description="root, targets, snapshot, timestamp or a delegation")
    at: datetime = Field(description="when it expires")


class Lost(Details):
    """What a repository's trust data held when the relay last examined it."""

    exact: bool = Field(
        description="whether that was the very last version; else there was a later one that is not known"
    )
    version: int = Field(description="version of the trust data that was examined")
    written_at: datetime | None = Field(description="when that version was written, by notary's clock")
    tags: list[SignedTag] = Field(description=f"the signed tags, at most {MOST_LISTED}")
    more: int = Field(description="how many more tags there were")
    signers: list[Signer] = Field(description="the delegations")
    root_keys: list[str] = Field(description="ids of the keys that could change all others")
    targets_keys: list[str] = Field(description="ids of the keys of the repository's own tags")
    expires: list[Expiry] = Field(description="when what was lost would have expired")


class TrustDeletion(TrustRecord):
    """The record of a deletion, or what takes its place, and what the relay knows of what was lost."""

    found_by: str = Field(
        default="changefeed",
        description='"changefeed"; "reconciliation" if the server has the trust data no longer and never '
        "recorded that: then record_id is empty, and when it happened is not known",
    )
    lost: Lost | None = Field(default=None, description="what was lost, as far as the relay knows")
    lost_unknown: str = Field(default="", description="why it is not known what was lost; empty if it is")
    outside_change_window: bool | None = Field(
        default=None,
        description="whether it happened outside of the cluster's change windows; null if it has none",
    )
    first_in_namespace: bool | None = Field(
        default=None,
        description="whether it is the first deletion in its namespace; null as long as the relay has not "
        "read the whole changefeed",
    )


class TrustUpdate(TrustRecord):
    """The record of an update, and what the relay saw when it examined it."""

    examined: bool = Field(
        default=False,
        description="whether the relay has seen what was written; else somebody signed, or the server merely "
        "renewed an expired timestamp",
    )
    unexamined: str = Field(default="", description="why it has not; empty if it has")
    signed_by: list[str] = Field(
        default_factory=list, description="the roles whose metadata is new: root, targets, delegations"
    )
    signed: list[SignedTag] = Field(
        default_factory=list, description=f"tags that are new or moved, at most {MOST_LISTED}"
    )
    removed: list[SignedTag] = Field(
        default_factory=list, description=f"tags that are no longer signed, at most {MOST_LISTED}"
    )
    tags: int | None = Field(default=None, description="how many tags are signed now; null if not examined")


class TrustChange(Details):
    """What ties a change to the record with which it came."""

    record_id: str = Field(description="notary's ID of the record; opaque")
    version: int = Field(description="version of the trust data that brought it")
    sha256: str = Field(description="SHA-256 of its timestamp metadata, in hex")


class TagsRemoved(TrustChange):
    """Tags that are no longer signed."""

    tags: list[SignedTag] = Field(description=f"what was signed under them, at most {MOST_LISTED} tags")
    more: int = Field(description="how many more there are")
    left: int = Field(description="how many tags are still signed")


class TagsMoved(TrustChange):
    """Tags under which something else is signed than before."""

    tags: list[MovedTag] = Field(description=f"the tags, at most {MOST_LISTED}")
    more: int = Field(description="how many more there are")


class SignersChanged(TrustChange):
    """Delegations, or keys of delegations, that came or went."""

    signers: list[Signer] = Field(description="each delegation with the keys that came, or went")


class RotatedKeys(Details):
    """How the keys of a role changed."""

    role: str = Field(description="root, targets, snapshot or timestamp")
    added: list[str] = Field(description="ids of the keys that it has now")
    removed: list[str] = Field(description="ids of the keys that it has no longer")
    threshold: int = Field(description="how many of its keys must sign now")
    former_threshold: int = Field(description="how many had to before")


class KeysRotated(TrustChange):
    """Keys that a new root put in the place of others."""

    root_version: int = Field(description="version of the new root metadata")
    rotated: list[RotatedKeys] = Field(description="the roles whose keys changed")


class Reinitialized(TrustChange):
    """A repository that has a new root."""

    deleted_at: datetime | None = Field(
        description="when its former trust data was deleted; null if no deletion was seen"
    )
    signed_by_old_root: bool = Field(description="whether the keys of the former root signed the new one")
    former_root_keys: list[str] = Field(description="ids of the former root's keys")
    root_keys: list[str] = Field(description="ids of the new root's keys")
    former_tags: int = Field(description="how many tags were signed before")
    tags: list[SignedTag] = Field(description=f"what is signed now, at most {MOST_LISTED} tags")


class Regression(Details):
    """A role whose version went back."""

    role: str = Field(description="root, targets, snapshot, timestamp or a delegation")
    before: int = Field(description="its version before")
    after: int = Field(description="its version now")


class VersionRegressed(TrustChange):
    """Metadata that is older than what was there before, without a deletion in between."""

    regressed: list[Regression] = Field(description="the roles whose version went back")


class TrustInvalid(TrustChange):
    """Trust data that does not verify."""

    role: str = Field(description="the metadata that does not hold; empty if none in particular")
    reason: str = Field(description="what is wrong with it")


class TrustExpiring(Details):
    """Metadata that expires soon, or has expired."""

    role: str = Field(description="root, targets, snapshot or a delegation")
    expires_at: datetime = Field(description="when it expires")
    expired: bool = Field(description="whether it has")
    version: int = Field(description="its version")
    tags: int = Field(description="how many tags the repository has")
