"""What happens: six scenes in a cluster, each with what has to be told of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from relay.demo.cluster import NAME, REPLICAS, Cluster
from relay.demo.ledger import Due
from relay.demo.receivers import ONCALL, SOC, TERMINAL

REPOSITORIES = ("shop/web", "shop/api")
_ISSUE = "table_availability"
_FAILS = 1
_SOME = (TERMINAL, SOC)
_ALL = (TERMINAL, SOC, ONCALL)


@dataclass(frozen=True, slots=True)
class Scene:
    """One thing that happens. ``pause`` is how long the audience reads before it, in seconds."""

    what: str
    remark: str
    act: Callable[[], None]
    due: tuple[Due, ...]
    pause: float


def scenes(cluster: Cluster) -> Iterator[Scene]:
    """Yield the scenes, in order."""
    msr = cluster.imitation
    failing = REPLICAS[_FAILS]
    address = cluster.replicas[_FAILS]
    issues: list[str] = []

    def sign() -> None:
        for name in REPOSITORIES:
            msr.sign(name, {tag: sha256(f"{name}:{tag}".encode()).hexdigest() for tag in ("2.0", "2.1")})

    def break_table() -> None:
        description = (
            "Table dtr2.tags is available for outdated reads, but not for writes: some replicas are not "
            f"ready. The following servers are not reachable: dtr_rethinkdb_{failing}"
        )
        issues.append(msr.raise_issue(_ISSUE, description, critical=True))

    def delete() -> None:
        for name in REPOSITORIES:
            msr.delete(name)

    yield Scene(
        "a developer signs shop/web and shop/api.",
        "The relay reads MSR's changefeed. A real MSR shows a record after 60 seconds; this one after 1.",
        sign,
        tuple(Due("trust.updated", "event", name, _SOME) for name in REPOSITORIES),
        pause=2,
    )
    yield Scene(
        "its database reports a critical issue.",
        "All three replicas show it, and it is told once. It is critical: the on-call gets a mail too.",
        break_table,
        (Due("cluster.issue", "firing", _ISSUE, _ALL),),
        pause=5,
    )
    yield Scene(
        "replica 2's storage fails.",
        "Its own ping says so, and so does the cluster. Two of three are left: a quorum, but one without a "
        "spare, and that is an alert of its own.",
        lambda: msr.fail_replica(failing, "storage"),
        (
            Due("ping.failing", "firing", address, _SOME),
            Due("replica.unhealthy", "firing", failing, _SOME),
            Due("quorum.at_risk", "firing", NAME, _SOME),
        ),
        pause=7,
    )
    yield Scene(
        "somebody deletes the trust data of shop/web and shop/api.",
        "Nobody can verify these images any more, and the server cannot tell what was signed. The relay can.",
        delete,
        tuple(Due("trust.deleted", "event", name, _ALL) for name in REPOSITORIES),
        pause=8,
    )
    yield Scene(
        "replica 2 is healthy again.",
        "Alerts end as they began: by themselves.",
        lambda: msr.recover(failing),
        (
            Due("ping.failing", "resolved", address, _SOME),
            Due("replica.unhealthy", "resolved", failing, _SOME),
            Due("quorum.at_risk", "resolved", NAME, _SOME),
        ),
        pause=9,
    )
    yield Scene(
        "its database has recovered; the issue is gone.",
        "The mail about it answers in the thread of the first one.",
        lambda: msr.clear_issue(issues.pop()),
        (Due("cluster.issue", "resolved", _ISSUE, _ALL),),
        pause=5,
    )
