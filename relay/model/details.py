"""The typed ``details`` of every event type: what template authors and webhook consumers rely on.

These are a contract: fields are added, never renamed or removed.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Details(BaseModel):
    """Base of the details of all event types."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def plain(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return self.model_dump(mode="json")


class Flaps(Details):
    """How often an alert came or went: the `flaps` of a firing that flaps, or that has settled."""

    changes: int = Field(description="how often it began or ceased within that time; 0: it has settled")
    within_seconds: float = Field(description="the time, in seconds")


class TrustRecord(Details):
    """A record of notary's changefeed."""

    record_id: str = Field(description="notary's ID of the record; opaque")
    version: int = Field(description="version of the trust data; 0 for a deletion")
    sha256: str = Field(description="SHA-256 of the new timestamp metadata, in hex; empty for a deletion")
    feed: str = Field(description='the changefeed it was read from: "all repositories" or one repository')


class Deleted(Details):
    """One of many deletions of trust data."""

    repository: str = Field(description="namespace/name; empty if the record does not tell it")
    gun: str | None = Field(description="the name under which the trust data was signed")
    event: str = Field(description="the id of its own event, trust.deleted")
    at: datetime = Field(description="when it happened by MSR's clock, at the latest when the relay saw it")
    tags: int | None = Field(
        default=None, description="how many signed tags were lost with it; null if that is not known"
    )


class MassDeletion(Details):
    """Many deletions of trust data at once, told in place of one message for each."""

    count: int = Field(description="how many deletions there were so far, those before it began among them")
    within_seconds: float = Field(description="the time within which they were too many, in seconds")
    per: str = Field(description="what was counted: the deletions of a cluster, or of a namespace")
    scope: str = Field(description="the name of that cluster or namespace; empty for an unknown namespace")
    first_at: datetime = Field(description="when the first of them happened")
    last_at: datetime = Field(description="when the last of them happened")
    deletions: list[Deleted] = Field(
        description="the first 1,000 of them; fewer where messages are bounded (a webhook's `max_bytes`)"
    )
    more: int = Field(description="how many are not listed in deletions")


class UnreadableRecord(Details):
    """A record of the changefeed that could not be understood."""

    reason: str = Field(description="what is wrong with it")
    excerpt: str = Field(description="the beginning of the record as MSR gave it")
    feed: str = Field(description='the changefeed it was read from: "all repositories" or one repository')


class Issue(Details):
    """An entry of RethinkDB's current_issues, as cluster_status shows it."""

    issue_id: str | None = Field(description="RethinkDB's id of the issue, if it gave one")
    issue_type: str = Field(description="RethinkDB's type, such as table_availability; empty if not given")
    critical: bool = Field(description="whether RethinkDB calls it critical")
    description: str = Field(description="RethinkDB's text")
    seen_by: list[str] = Field(description="the replicas whose answer shows the issue")
    identity: str = Field(description='"id", "info", or "weak" if only the text could identify the issue')


class ReplicaHealth(Details):
    """A replica's health as the cluster sees it."""

    replica: str = Field(description="replica id")
    health: str = Field(description="MSR's text; OK for a healthy one")
    seen_by: list[str] = Field(description="the replicas whose answer shows it")
    healthy: int = Field(description="how many replicas are healthy")
    replicas: int = Field(description="how many replicas the cluster has")


class ReplicaMissing(Details):
    """A replica that the cluster had and no longer mentions."""

    replica: str = Field(description="replica id")
    last_seen_at: datetime | None = Field(description="when an answer last mentioned it")
    replicas: int = Field(description="how many replicas the cluster mentions now")


class ReplicaReadonly(Details):
    """A replica that takes no writes."""

    replica: str = Field(description="replica id")
    seen_by: list[str] = Field(description="the replicas whose answer shows it")


class ReplicaStale(Details):
    """A replica that has not reported for too long."""

    replica: str = Field(description="replica id")
    reported_at: datetime = Field(description="time of its last report, by MSR's clock")
    age_seconds: float = Field(description="age of that report when it was first too old")
    limit_seconds: float = Field(description="the configured limit")


class Quorum(Details):
    """How many replicas of a cluster are healthy, and how many it needs."""

    replicas: int = Field(
        description="how many the cluster has: those mentioned, and those missing and not yet forgotten"
    )
    healthy: int = Field(
        description="how many are healthy by every answer that mentions them, and neither missing nor stale"
    )
    needed: int = Field(description="how many have to be healthy: replicas // 2 + 1")
    spare: int = Field(description="how many more can be lost; if negative, how many are lacking")
    unhealthy: list[str] = Field(description="ids of the replicas that an answer calls unhealthy")
    missing: list[str] = Field(description="ids of the replicas that no answer mentions any more")
    stale: list[str] = Field(description="ids of the replicas that have not reported for too long")
    seen_by: list[str] = Field(description="the replicas by whose answers this is so")
    unread: list[str] = Field(description="the replicas that were asked too and could not be read")


class Saying(Details):
    """What one replica says of something."""

    replica: str = Field(description="the replica that was asked")
    says: str = Field(
        description="its text for a health, else mentioned or not mentioned, shown or not shown"
    )


class Contradiction(Details):
    """Something that replicas say differently."""

    kind: str = Field(description="health, mention (of a replica) or issue")
    about: str = Field(description="the replica's id, or the issue's type and id")
    says: list[Saying] = Field(description="what each replica says")


class SplitBrain(Details):
    """How the replicas' answers about their cluster contradict each other."""

    contradictions: list[Contradiction] = Field(description="what they say differently")
    more: int = Field(description="how many contradictions are left out here")


class ViewStale(Details):
    """A replica whose answer is old news."""

    newest_at: datetime = Field(description="time of the newest report in its answer, by MSR's clock")
    others_newest_at: datetime = Field(description="time of the newest report in any other answer")
    newest_by: str = Field(description="the replica whose answer has that one")
    behind_seconds: float = Field(description="how far it was behind when that was first too far")
    limit_seconds: float = Field(description="the configured limit")


class GcHeld(Details):
    """A replica that holds the lock of garbage collection."""

    holder: str = Field(description="id of the replica")
    seen_by: list[str] = Field(description="the replicas whose answer shows it")


class PingSlow(Details):
    """A replica that answers its ping much more slowly than usual."""

    url: str = Field(description="the replica's URL")
    seconds: float = Field(description="the median of the five latest answers when that was first too slow")
    baseline_seconds: float = Field(description="how long an answer usually takes, as learnt from its pings")
    factor: float = Field(description="how many times as long as usual that is")


class Ping(Details):
    """A replica whose /_ping is bad."""

    url: str = Field(description="the replica's URL")
    error: str = Field(description="the part that MSR names (storage, metadata …), or why nothing answered")
    reachable: bool = Field(description="whether it answered at all")


class Nginx(Details):
    """The connections of one replica's nginx."""

    url: str = Field(description="the replica's URL")
    active: int = Field(description="active connections")
    limit: int | None = Field(description="the configured limit of active connections, if it is exceeded")
    dropped: int | None = Field(description="connections dropped since the last look, if any")


class WatchFailure(Details):
    """One thing that cannot be read."""

    watcher: str = Field(description="the watcher")
    source: str = Field(description="the replica or repository; empty for all")
    cause: str = Field(description="why, and what to do about it")
    since: datetime = Field(description="when it first failed")
    failures: int = Field(description="how often in a row")


class WatchFailing(Details):
    """What of a cluster cannot be read."""

    failing: list[WatchFailure] = Field(description="each thing that cannot be read, and why")
    whole: bool = Field(description="true if nothing of the cluster can be read")
    internal_errors: bool = Field(
        default=False,
        description="true if every replica that answers at all answers an internal server error, as a "
        "cluster without quorum does",
    )


class FeedReset(Details):
    """A changefeed that was rebuilt or restored."""

    feed: str = Field(description='"all repositories" or one repository')
    reason: str = Field(description="how it was noticed")
    last_record: str = Field(description="notary's ID of the last record read before")
    reread: int = Field(description="how many records have been read again so far")


class ChannelTrouble(Details):
    """A channel that does not take messages."""

    channel: str = Field(description="the channel's name")
    kind: str = Field(description="the channel's kind")
    state: str = Field(description="failing, held or disabled")
    reason: str = Field(description="the last error")
    failures: int = Field(description="failed attempts in a row")
    waiting: int = Field(description="deliveries that wait; 10,000 also if there are more")


class DeadDelivery(Details):
    """A delivery that was refused for good."""

    channel: str = Field(description="the channel's name")
    delivery: str = Field(description="the delivery's id")
    reason: str = Field(description="the receiver's refusal")
    about: str = Field(description="the summary of what was not delivered")
    about_type: str = Field(description="its event type")
    attempts: int = Field(description="how many attempts were made")


class TemplateTrouble(Details):
    """A template that cannot be rendered; messages go out in a plain form."""

    template: str = Field(description="the template's name")
    error: str = Field(description="the error, with the line")


class StoreTrouble(Details):
    """A store that cannot be written."""

    error: str = Field(description="the store's error")


class ConfigTrouble(Details):
    """A changed configuration that cannot be used; the old one goes on."""

    path: str = Field(description="the file")
    problems: list[str] = Field(description="what is wrong, one line each")


class HeartbeatTrouble(Details):
    """A dead man's switch that cannot be reached."""

    heartbeat: str = Field(description="the heartbeat's name")
    reason: str = Field(description="why the last ping failed")
    failures: int = Field(description="how many intervals in a row have passed without a ping that arrived")
    arrived_at: datetime | None = Field(
        description="when a ping last arrived; null if none has since the relay was started"
    )


class Unread(Details):
    """A part of a watch that could not be read at the last look."""

    source: str = Field(description="the replica or repository; empty for all")
    cause: str = Field(description="why, and what to do about it")


class Looked(Details):
    """How the last look of one watcher went."""

    cluster: str = Field(description="the cluster")
    watcher: str = Field(description="the watcher")
    looked_at: datetime | None = Field(description="when its last look ended; null if it has not looked yet")
    unread: list[Unread] = Field(description="what could not be read then")


class Heartbeat(Details):
    """A sign of life, and how the relay is."""

    heartbeat: str = Field(description="the heartbeat's name")
    scheduled_at: datetime = Field(description="the time of its schedule that this tells")
    version: str = Field(description="the relay's version")
    running_since: datetime = Field(description="when the relay was started")
    clusters: list[str] = Field(description="the clusters that it watches")
    looks: list[Looked] = Field(description="the last look of each watcher")
    firing: int = Field(description="how many alerts fire")
    waiting: int = Field(description="how many deliveries wait, on all channels")
    troubles: list[str] = Field(description="what is not well with the relay, as /readyz tells it")


class EvidenceAnchored(Details):
    """Where the evidence log ends: whoever keeps this can tell later whether it was rewritten."""

    seq: int = Field(description="number of its last entry")
    hash: str = Field(description="that entry's hash, SHA-256 in hex, which covers all entries before it")
    scheduled_at: datetime = Field(description="the time of the schedule that this tells")
    signature: str | None = Field(
        description="the public ed25519 key and its signature of seq and hash, as whpk_…:base64; null: no key"
    )


class Missed(Details):
    """Something that happened while the relay was away."""

    type: str = Field(description="the event's type")
    severity: str = Field(description="its severity")
    cluster: str = Field(description="the cluster")
    summary: str = Field(description="the event in one line")
    happened_at: datetime = Field(description="when it happened")


class Resumed(Details):
    """How long the relay was away, and what it has caught up on."""

    since: datetime = Field(description="its last sign of life before")
    until: datetime = Field(description="its first one after")
    seconds: float = Field(description="how long that is")
    why: str = Field(description='"not running", "asleep", or both joined by "and"')
    total: int = Field(description="how many events that happened meanwhile have been caught up on so far")
    counts: dict[str, int] = Field(description="their number by event type")
    first: list[Missed] = Field(description="the first of them, the worst ones first")
    unread: list[str] = Field(
        description="the watchers (cluster/watcher) that could not read everything since: what happened "
        "there is not known yet"
    )


class Test(Details):
    """A test message."""

    channel: str = Field(description="the channel under test")
    sent_by: str = Field(description="who asked for it")
