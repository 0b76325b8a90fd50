"""One sample event per type, for checking templates, previews and documentation."""

from datetime import UTC, datetime, timedelta

from relay.model import details as d
from relay.model.catalogue import CATALOGUE
from relay.model.event import Event, Status, Subject, SubjectKind
from relay.model.hook_samples import HOOK_DETAILS
from relay.model.ids import stable_id
from relay.model.severity import Severity
from relay.model.trust_samples import TRUST_DETAILS

_WHEN = datetime(2026, 11, 23, 20, 58, 11, 165146, tzinfo=UTC)
_REPLICA = "f2277ad178f7"

_DETAILS: dict[str, tuple[str, str, d.Details]] = {
    **TRUST_DETAILS,
    **HOOK_DETAILS,
    "trust.mass_deletion": (
        "prod",
        "7 deletions of trust data in cluster prod: prod/app, prod/api and 5 more",
        d.MassDeletion(
            count=7,
            within_seconds=600,
            per="cluster",
            scope="prod",
            first_at=_WHEN - timedelta(seconds=95),
            last_at=_WHEN - timedelta(seconds=2),
            deletions=[
                d.Deleted(
                    repository=name,
                    gun=f"msr.example.com/{name}",
                    event=stable_id("evt", name),
                    at=_WHEN - timedelta(seconds=95 - 15 * number),
                    tags=3 + number,
                )
                for number, name in enumerate(
                    ("prod/app", "prod/api", "prod/web", "prod/worker", "shop/web", "shop/api", "shop/cart")
                )
            ],
            more=0,
        ),
    ),
    "trust.unreadable": (
        "",
        "A record of the changefeed cannot be read",
        d.UnreadableRecord(
            reason="CreatedAt is missing", excerpt='{"ID": "9d7b3f50"}', feed="all repositories"
        ),
    ),
    "cluster.issue": (
        "table_availability",
        "Critical issue: table_availability",
        d.Issue(
            issue_id="1d9aab6c",
            issue_type="table_availability",
            critical=True,
            description="Table dtr2.tags is available for outdated reads, but not for writes: some replicas "
            f"are not ready. The following servers are not reachable: dtr_rethinkdb_{_REPLICA}",
            seen_by=["msr-1.example.com"],
            identity="id",
        ),
    ),
    "cluster.split_brain": (
        "prod",
        "Replicas disagree about cluster prod: it may be split",
        d.SplitBrain(
            contradictions=[
                d.Contradiction(
                    kind="health",
                    about=_REPLICA,
                    says=[
                        d.Saying(replica="msr-1.example.com", says="OK"),
                        d.Saying(replica="msr-2.example.com", says="Storage is not writable"),
                        d.Saying(replica="msr-3.example.com", says="OK"),
                    ],
                ),
                d.Contradiction(
                    kind="issue",
                    about="table_availability 1d9aab6c",
                    says=[
                        d.Saying(replica="msr-1.example.com", says="not shown"),
                        d.Saying(replica="msr-2.example.com", says="shown"),
                        d.Saying(replica="msr-3.example.com", says="not shown"),
                    ],
                ),
            ],
            more=0,
        ),
    ),
    "quorum.at_risk": (
        "prod",
        "One more lost replica breaks the quorum of cluster prod: 2 of 3 are healthy",
        d.Quorum(
            replicas=3,
            healthy=2,
            needed=2,
            spare=0,
            unhealthy=[_REPLICA],
            missing=[],
            stale=[],
            seen_by=["msr-1.example.com", "msr-2.example.com", "msr-3.example.com"],
            unread=[],
        ),
    ),
    "quorum.lost": (
        "prod",
        "Cluster prod has no quorum by what msr-1.example.com says: 1 of 3 is healthy",
        d.Quorum(
            replicas=3,
            healthy=1,
            needed=2,
            spare=-1,
            unhealthy=[_REPLICA],
            missing=[],
            stale=["72c9b8d01f3e"],
            seen_by=["msr-1.example.com"],
            unread=["msr-2.example.com", "msr-3.example.com"],
        ),
    ),
    "replica.unhealthy": (
        _REPLICA,
        f"Replica {_REPLICA} is unhealthy",
        d.ReplicaHealth(
            replica=_REPLICA,
            health="Storage is not writable",
            seen_by=["msr-1.example.com"],
            healthy=2,
            replicas=3,
        ),
    ),
    "replica.missing": (
        _REPLICA,
        f"Replica {_REPLICA} is missing",
        d.ReplicaMissing(replica=_REPLICA, last_seen_at=_WHEN - timedelta(minutes=1), replicas=2),
    ),
    "replica.readonly": (
        _REPLICA,
        f"Replica {_REPLICA} is read-only",
        d.ReplicaReadonly(replica=_REPLICA, seen_by=["msr-1.example.com"]),
    ),
    "replica.stale": (
        _REPLICA,
        f"Replica {_REPLICA} has not reported for 6m",
        d.ReplicaStale(
            replica=_REPLICA, reported_at=_WHEN - timedelta(minutes=6), age_seconds=360.0, limit_seconds=300.0
        ),
    ),
    "replica.view_stale": (
        "msr-2.example.com",
        "Replica msr-2.example.com shows an old state of the cluster",
        d.ViewStale(
            newest_at=_WHEN - timedelta(minutes=6),
            others_newest_at=_WHEN,
            newest_by="msr-1.example.com",
            behind_seconds=360.0,
            limit_seconds=300.0,
        ),
    ),
    "gc.held": (
        _REPLICA,
        f"Replica {_REPLICA} keeps the lock of garbage collection",
        d.GcHeld(holder=_REPLICA, seen_by=["msr-1.example.com"]),
    ),
    "ping.slow": (
        "msr-2.example.com",
        "Replica msr-2.example.com answers slowly: 1.2 s instead of the usual 40 ms",
        d.PingSlow(url="https://msr-2.example.com", seconds=1.2, baseline_seconds=0.04, factor=30.0),
    ),
    "ping.failing": (
        "msr-2.example.com",
        "Replica msr-2.example.com is unhealthy: storage",
        d.Ping(url="https://msr-2.example.com", error="storage", reachable=True),
    ),
    "nginx.saturated": (
        "msr-2.example.com",
        "nginx of msr-2.example.com has 1200 active connections",
        d.Nginx(url="https://msr-2.example.com", active=1200, limit=1000, dropped=17),
    ),
    "watch.failing": (
        "prod",
        "Cluster prod cannot be read",
        d.WatchFailing(
            failing=[
                d.WatchFailure(
                    watcher="cluster_status",
                    source="msr-1.example.com",
                    cause="connection refused: is MSR running there?",
                    since=_WHEN,
                    failures=3,
                )
            ],
            whole=True,
            internal_errors=False,
        ),
    ),
    "changefeed.reset": (
        "all repositories",
        "The changefeed of prod was rebuilt",
        d.FeedReset(
            feed="all repositories", reason="the last record read is gone", last_record="9d7b3f51", reread=120
        ),
    ),
    "channel.failing": (
        "security",
        "Channel security does not take messages",
        d.ChannelTrouble(
            channel="security",
            kind="slack",
            state="failing",
            reason="503 Service Unavailable",
            failures=5,
            waiting=12,
        ),
    ),
    "channel.disabled": (
        "soc",
        "Channel soc is disabled: its receiver is gone",
        d.ChannelTrouble(
            channel="soc", kind="webhook", state="disabled", reason="410 Gone", failures=1, waiting=3
        ),
    ),
    "delivery.dead": (
        "soc",
        "Channel soc refused a message for good",
        d.DeadDelivery(
            channel="soc",
            delivery="dlv_5c1e",
            reason="400 Bad Request",
            about="Trust data of prod/app was deleted",
            about_type="trust.deleted",
            attempts=1,
        ),
    ),
    "template.failing": (
        "slack/mine.json.j2",
        "Template slack/mine.json.j2 cannot be rendered",
        d.TemplateTrouble(template="slack/mine.json.j2", error="line 3: 'evnt' is undefined"),
    ),
    "store.failing": (
        "relay.db",
        "The store cannot be written",
        d.StoreTrouble(error="database or disk is full"),
    ),
    "config.rejected": (
        "relay.yaml",
        "The changed configuration was rejected",
        d.ConfigTrouble(path="relay.yaml", problems=["relay.yaml:12:5: channels[0].kid: unknown key"]),
    ),
    "heartbeat.failing": (
        "healthchecks",
        "Heartbeat healthchecks does not arrive",
        d.HeartbeatTrouble(
            heartbeat="healthchecks",
            reason="https://hc-ping.com: cannot connect (connection refused): check host, port and firewall",
            failures=3,
            arrived_at=_WHEN - timedelta(minutes=4),
        ),
    ),
    "evidence.anchored": (
        "security",
        "The evidence log ends at entry 48213",
        d.EvidenceAnchored(
            seq=48213,
            hash="9f2c1c7be0e4fb3f3b0a4f3f0d7a5c4a6a5e0f1b2c3d4e5f60718293a4b5c6d7",
            scheduled_at=_WHEN,
            signature="whpk_9TXjTd4cjKpQcIrlQO7E4Hfeb7XRpEzZjHgDVGFwl5M=:"
            "bm90IGEgcmVhbCBzaWduYXR1cmUsIGJ1dCBhcyBsb25nIGFzIG9uZSBvZiB0aGVtOiA2NCBieXRlcyBsb25nLg==",
        ),
    ),
    "relay.heartbeat": (
        "morning",
        "The relay is alive, but does not see everything",
        d.Heartbeat(
            heartbeat="morning",
            scheduled_at=_WHEN,
            version="0.1.0",
            running_since=_WHEN - timedelta(days=3),
            clusters=["prod"],
            looks=[
                d.Looked(
                    cluster="prod", watcher="changefeed", looked_at=_WHEN - timedelta(seconds=12), unread=[]
                ),
                d.Looked(
                    cluster="prod",
                    watcher="ping",
                    looked_at=_WHEN - timedelta(seconds=3),
                    unread=[
                        d.Unread(
                            source="msr-2.example.com", cause="connection refused: is MSR running there?"
                        )
                    ],
                ),
            ],
            firing=1,
            waiting=4,
            troubles=[],
        ),
    ),
    "relay.resumed": (
        "relay",
        "The relay was away for 1h 2m (not running); 2 events of that time so far",
        d.Resumed(
            since=_WHEN - timedelta(hours=1, minutes=2),
            until=_WHEN,
            seconds=3720.0,
            why="not running",
            total=2,
            counts={"trust.deleted": 1, "trust.updated": 1},
            first=[
                d.Missed(
                    type="trust.deleted",
                    severity="critical",
                    cluster="prod",
                    summary="Trust data of prod/app was deleted",
                    happened_at=_WHEN - timedelta(minutes=40),
                ),
                d.Missed(
                    type="trust.updated",
                    severity="info",
                    cluster="prod",
                    summary="Trust data of prod/api was updated to version 7",
                    happened_at=_WHEN - timedelta(minutes=55),
                ),
            ],
            unread=["lab/changefeed"],
        ),
    ),
    "relay.test": (
        "security",
        "Test message from MSR Relay",
        d.Test(channel="security", sent_by="alice"),
    ),
}

_GRAVE = {"cluster.issue", "watch.failing"}
"""Types whose sample is of the graver sort: the issue is critical, the whole cluster cannot be read."""


def sample(type_name: str, status: Status | None = None, cluster: str = "prod") -> Event:
    """Return a sample event; alerts are firing unless ``status`` says otherwise.

    Raises KeyError for a type that the catalogue does not have.
    """
    kind = CATALOGUE[type_name]
    name, summary, details = _DETAILS[type_name]
    if status is None:
        status = Status.FIRING if kind.lasting else Status.EVENT
    ended = status is Status.RESOLVED
    signed = kind.subject is SubjectKind.REPOSITORY and type_name not in HOOK_DETAILS
    gun = f"msr.example.com/{name}" if signed and name else None
    return Event(
        id=stable_id("evt", type_name, status),
        type=type_name,
        status=status,
        cluster=None if kind.about_relay else cluster,
        severity=Severity.CRITICAL if type_name in _GRAVE else kind.severity,
        subject=Subject(kind.subject, name, gun=gun),
        summary=summary,
        happened_at=_WHEN + timedelta(minutes=9) if ended else _WHEN,
        seen_at=_WHEN + timedelta(minutes=9 if ended else 0, seconds=2),
        alert=stable_id("alr", type_name) if kind.lasting else None,
        starts_at=_WHEN if kind.lasting else None,
        ends_at=_WHEN + timedelta(minutes=9) if ended else None,
        details=details.plain(),
    )
