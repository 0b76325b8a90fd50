"""What holds of repositories' trust data: that it does not verify, that it expires. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from relay.config import Duration, Section
from relay.model import trust_details as t
from relay.model.event import Subject, SubjectKind
from relay.model.observation import Condition
from relay.model.severity import Severity
from relay.model.trust import Kept
from relay.trust import State, listing


class WarnOptions(Section):
    """How long before the metadata of a role expires that is told."""

    root: Duration = timedelta(days=90)
    """The root. Only its keys can renew it, and those lie in a safe."""
    targets: Duration = timedelta(days=30)
    """The repository's own tags."""
    delegations: Duration = timedelta(days=30)
    """The delegations."""
    snapshot: Duration = timedelta(days=7)
    """The snapshot. Where the server holds its key, it renews it by itself when somebody reads it."""

    @property
    def longest(self) -> timedelta:
        """The longest of them."""
        return max(self.root, self.targets, self.delegations, self.snapshot)

    def of(self, role: str) -> timedelta | None:
        """Return that of a role; None for the timestamp: the server renews it every two weeks."""
        if role.startswith("targets/"):
            return self.delegations
        return {"root": self.root, "targets": self.targets, "snapshot": self.snapshot}.get(role)


def expiring(kept: Kept, warn: WarnOptions, now: datetime) -> Iterator[Condition]:
    """Yield what of a repository expires soon, or has expired."""
    if kept.state is None or kept.lost_at is not None:
        return
    state = State.read(kept.state)
    head = kept.head
    for role, at in sorted(state.expires.items()):
        before = warn.of(role)
        if before is None or now < at - before:
            continue
        expired = now >= at
        yield Condition(
            type="trust.expiring",
            identity=(head.gun, role),
            subject=Subject(SubjectKind.REPOSITORY, head.repository, gun=head.gun),
            summary=f"{head.repository}: {role} metadata {'expired' if expired else 'expires'} {at:%Y-%m-%d}",
            details=t.TrustExpiring(
                role=role,
                expires_at=at,
                expired=expired,
                version=state.versions[role],
                tags=len(listing(state)),
            ).plain(),
            severity=Severity.ERROR if expired else None,
        )


def invalid(found: Iterable[Kept]) -> Iterator[Condition]:
    """Yield the repositories whose newest trust data does not verify."""
    for kept in found:
        head = kept.head
        role, _, reason = (kept.problem or "").partition(": ")
        yield Condition(
            type="trust.invalid",
            identity=(head.gun,),
            subject=Subject(SubjectKind.REPOSITORY, head.repository, gun=head.gun),
            summary=f"Trust data of {head.repository} does not verify",
            details=t.TrustInvalid(
                record_id=head.record,
                version=head.version,
                sha256=head.sha256,
                role=role if reason else "",
                reason=reason or role,
            ).plain(),
        )
