"""Do the replicas agree about their cluster, and is what each of them says new? Pure.

Only for views of which each is one replica's own: behind a load balancer there is nothing to compare.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from relay.model.details import Contradiction, Saying, SplitBrain, ViewStale
from relay.model.event import Subject, SubjectKind
from relay.model.observation import Condition
from relay.msr import ClusterStatus
from relay.watch.views import GOOD, Views, mentioned

SPLIT, OLD = "cluster.split_brain", "replica.view_stale"
_MOST = 20
"""Contradictions that are listed."""


def split(views: Views, cluster: str, looks: int) -> Iterator[Condition]:
    """Return a condition if views contradict each other.

    Two answers may have been given a moment apart: only what ``looks`` looks in a row show is one.
    """
    found = list(contradictions(views))
    if not found:
        return
    shown = found[:_MOST]
    yield Condition(
        type=SPLIT,
        identity=(),
        subject=Subject(
            SubjectKind.CLUSTER,
            cluster,
            replicas=tuple(dict.fromkeys(each.about for each in shown if each.kind != "issue")),
        ),
        summary=f"Replicas disagree about cluster {cluster}: it may be split",
        details=SplitBrain(contradictions=shown, more=len(found) - len(shown)).plain(),
        looks=looks,
    )


def contradictions(views: Views) -> Iterator[Contradiction]:
    """Return what views say differently: a replica's health, which replicas there are, which issues.

    That a view does *not* show something counts only where all of it could be read.
    """
    for replica in mentioned(views):
        said = {
            viewer: view.replica_health[replica]
            for viewer, view in views.items()
            if replica in view.replica_health
        }
        if len({text == GOOD for text in said.values()}) == 2:
            yield _contradiction("health", replica, said)
    whole = {viewer: view for viewer, view in views.items() if not view.quirks}
    yield from _differing("mention", whole, _mentions, "mentioned")
    yield from _differing("issue", whole, _issues, "shown")


def _differing(
    kind: str, views: Views, things_of: Callable[[ClusterStatus], set[str]], word: str
) -> Iterator[Contradiction]:
    things = {viewer: things_of(view) for viewer, view in views.items()}
    everywhere = set[str]().union(*things.values())
    for thing in sorted(everywhere):
        said = {viewer: word if thing in found else f"not {word}" for viewer, found in things.items()}
        if len(set(said.values())) == 2:
            yield _contradiction(kind, thing, said)


def _mentions(view: ClusterStatus) -> set[str]:
    return set(mentioned({"": view}))


def _issues(view: ClusterStatus) -> set[str]:
    # Without an id nothing tells whether two issues are one.
    return {f"{issue.type or 'unnamed'} {issue.id}" for issue in view.issues if issue.id}


def _contradiction(kind: str, about: str, said: Mapping[str, str]) -> Contradiction:
    says = [Saying(replica=viewer, says=text) for viewer, text in said.items()]
    return Contradiction(kind=kind, about=about, says=says)


def newest(views: Views) -> dict[str, datetime]:
    """Return the time of the newest report in each view that has any and could be read whole."""
    return {
        viewer: max(view.replica_timestamp.values())
        for viewer, view in views.items()
        if view.replica_timestamp and not view.quirks
    }


def old(views: Views, limit: timedelta) -> Iterator[Condition]:
    """Return a condition for each view whose newest report is too far behind another view's newest."""
    found = newest(views)
    if not found:
        return
    latest = max(found, key=lambda viewer: found[viewer])
    for viewer, at in found.items():
        behind = found[latest] - at
        if behind <= limit:
            continue
        yield Condition(
            type=OLD,
            identity=(viewer,),
            subject=Subject(SubjectKind.REPLICA, viewer),
            summary=f"Replica {viewer} shows an old state of the cluster",
            details=ViewStale(
                newest_at=at,
                others_newest_at=found[latest],
                newest_by=latest,
                behind_seconds=behind.total_seconds(),
                limit_seconds=limit.total_seconds(),
            ).plain(),
            source=viewer,
        )


def undecided(views: Views, asked: int) -> set[str]:
    """Return the types of conditions that these views cannot judge, of so many replicas ``asked``.

    Who disagreed and cannot be read now may still disagree; a single view cannot be compared.
    """
    found = set()
    if len(views) < asked:
        found.add(SPLIT)
    if asked > 1 and len(newest(views)) < 2:
        found.add(OLD)
    return found
