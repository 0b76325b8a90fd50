"""From what changed in a repository's trust data to what is told of it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from relay.model import trust_details as t
from relay.model.event import Event, Subject, SubjectKind
from relay.model.observation import Fact
from relay.model.severity import Severity
from relay.model.trust import Head, Kept
from relay.trust import Changes, Examined, Listed, Rotated, State, changes, listing
from relay.trust.state import BASE_ROLES
from relay.trust.typed import key_ids, more_than_listed, same_root, signed_tags

_NAMED = 5
"""So many tags a summary names."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What examining one record brought to light.

    ``before`` is what was there before it, None if that is not known. ``lost_at`` is when the trust data
    before it was deleted, None if it was not.
    """

    head: Head
    examined: Examined
    before: State | None
    lost_at: datetime | None = None

    @property
    def anew(self) -> bool:
        """Whether this is another repository under the same name: its root is not the former one's."""
        return self.before is not None and (
            self.lost_at is not None or self.examined.root_signed_by_old is False
        )

    def compared(self) -> Changes | None:
        """Return what changed; None where there is nothing to compare with."""
        return None if self.before is None or self.anew else changes(self.before, self.examined.state)


def told(event: Event, finding: Finding) -> Event:
    """Return an update that waited, as it is to be told."""
    name = event.subject.name
    if finding.examined.resigned and not finding.anew:
        details = {key: event.details[key] for key in ("record_id", "version", "sha256", "feed")}
        summary = f"The server renewed the expired timestamp of {name}: nobody signed"
        return replace(event, type="trust.resigned", summary=summary, details=details)
    update = _update(event, finding)
    return replace(event, summary=_summary(name, update), details=update.plain())


def _update(event: Event, finding: Finding) -> t.TrustUpdate:
    compared, state = finding.compared(), finding.examined.state
    if compared is not None:
        signed = [*compared.tags_added, *(moved.now for moved in compared.tags_moved)]
        removed: Sequence[Listed] = compared.tags_removed
    else:
        signed = listing(state) if finding.anew or event.details["version"] == 1 else []
        removed = ()
    return t.TrustUpdate(
        **{key: event.details[key] for key in ("record_id", "version", "sha256", "feed")},
        examined=True,
        signed_by=list(finding.examined.renewed),
        signed=signed_tags(signed),
        removed=signed_tags(removed),
        tags=len(listing(state)),
    )


def _summary(name: str, update: t.TrustUpdate) -> str:
    parts = []
    if update.signed:
        parts.append(f"signed {_names([each.tag for each in update.signed])}")
    if update.removed:
        parts.append(f"removed {_names([each.tag for each in update.removed])}")
    if not parts:
        return f"Trust data of {name} was updated to version {update.version}"
    return f"{name}: {' and '.join(parts)} (version {update.version})"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(dict.fromkeys(names[:_NAMED]))
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more tags"


def facts_of(finding: Finding) -> Iterator[Fact]:
    """Yield what of a finding is to be told by itself."""
    before, compared = finding.before, finding.compared()
    if before is not None and finding.anew:
        yield _reinitialized(finding, before)
    if before is None or compared is None:
        return
    tie = _tie(finding.head)
    name = finding.head.repository
    if compared.regressed:
        roles = [
            t.Regression(role=each.role, before=each.before, after=each.after) for each in compared.regressed
        ]
        yield _fact(
            finding,
            "trust.version_regressed",
            f"Trust data of {name} went back to an older version",
            t.VersionRegressed(**tie, regressed=roles),
        )
    if compared.rotated or any(each.role in BASE_ROLES for each in compared.thresholds):
        rotated = list(_rotated(finding, before, compared))
        version = finding.examined.state.versions["root"]
        yield _fact(
            finding,
            "trust.root_rotated",
            f"Keys of {name} were rotated: {', '.join(each.role for each in rotated)}",
            t.KeysRotated(**tie, root_version=version, rotated=rotated),
        )
    now = finding.examined.state
    for kind, word, signers, holder in (
        ("trust.signer_added", "may sign now", compared.signers_added, now),
        ("trust.signer_removed", "may no longer sign", compared.signers_removed, before),
    ):
        if signers:
            listed = [
                t.Signer(role=each.role, keys=key_ids(each.keys, holder), threshold=each.threshold)
                for each in signers
            ]
            who = ", ".join(each.role.removeprefix("targets/") for each in listed[:_NAMED])
            yield _fact(finding, kind, f"{name}: {who} {word}", t.SignersChanged(**tie, signers=listed))
    if compared.tags_removed:
        gone = compared.tags_removed
        left = len(listing(finding.examined.state))
        yield _fact(
            finding,
            "trust.tag_removed",
            f"{name}: {_names([each.name for each in gone])} {_is(gone)} no longer signed",
            t.TagsRemoved(**tie, tags=signed_tags(gone), more=more_than_listed(gone), left=left),
        )
    if compared.tags_moved:
        moved = compared.tags_moved
        yield _fact(
            finding,
            "trust.tag_moved",
            f"{name}: {_names([each.now.name for each in moved])} {'has' if len(moved) == 1 else 'have'} "
            "other content than before",
            t.TagsMoved(
                **tie,
                tags=[
                    t.MovedTag(
                        tag=each.now.name,
                        role=each.now.role,
                        before=each.before.sha256,
                        after=each.now.sha256,
                        length=each.now.length,
                    )
                    for each in moved[: t.MOST_LISTED]
                ],
                more=more_than_listed(moved),
            ),
        )


def _reinitialized(finding: Finding, before: State) -> Fact:
    state = finding.examined.state
    known = finding.examined.root_signed_by_old is True or same_root(before, state)
    tags = listing(state)
    details = t.Reinitialized(
        **_tie(finding.head),
        deleted_at=finding.lost_at,
        signed_by_old_root=known,
        former_root_keys=key_ids(before.roles["root"].keys, before),
        root_keys=key_ids(state.roles["root"].keys, state),
        former_tags=len(listing(before)),
        tags=signed_tags(tags),
    )
    how = "under the former root's keys" if known else "under keys that the former root did not sign"
    name = finding.head.repository
    fact = _fact(finding, "trust.reinitialized", f"{name} was initialised again, {how}", details)
    return replace(fact, severity=Severity.WARNING if known else Severity.CRITICAL)


def _rotated(finding: Finding, before: State, compared: Changes) -> Iterator[t.RotatedKeys]:
    state = finding.examined.state
    keys = {each.role: each for each in compared.rotated}
    for role in BASE_ROLES:
        old, new = before.roles[role].threshold, state.roles[role].threshold
        if role in keys or old != new:
            found = keys.get(role, Rotated(role, (), ()))
            yield t.RotatedKeys(
                role=role,
                added=key_ids(found.added, state),
                removed=key_ids(found.removed, before),
                threshold=new,
                former_threshold=old,
            )


def vanished(kept: Kept, now: datetime) -> Fact:
    """Return that the server has a repository's trust data no longer, and never recorded its deletion."""
    head = kept.head
    details = t.TrustDeletion(record_id="", version=0, sha256="", feed="none", found_by="reconciliation")
    return Fact(
        type="trust.deleted",
        identity=("vanished", head.gun, head.record, head.at.isoformat()),
        subject=_subject(head),
        summary=f"Trust data of {head.repository} is gone, without a record of its deletion",
        happened_at=now,
        details=details.plain(),
    )


def _fact(finding: Finding, kind: str, summary: str, details: Any) -> Fact:
    head = finding.head
    return Fact(
        type=kind,
        identity=(head.gun, head.sha256, head.at.isoformat()),
        subject=_subject(head),
        summary=summary,
        happened_at=head.at,
        details=details.plain(),
    )


def _subject(head: Head) -> Subject:
    return Subject(SubjectKind.REPOSITORY, head.repository, gun=head.gun)


def _tie(head: Head) -> dict[str, Any]:
    return {"record_id": head.record, "version": head.version, "sha256": head.sha256}


def _is(things: Sequence[Any]) -> str:
    return "is" if len(things) == 1 else "are"
