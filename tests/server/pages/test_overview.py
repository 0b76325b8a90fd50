"""How a cluster stands, by what could be read and what fires: what cannot be read is never good."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from relay.engine.scene import Scene
from relay.model.alert import Alert, AlertState
from relay.model.event import Subject, SubjectKind
from relay.model.observation import Look, Watch
from relay.model.severity import Severity
from relay.server import Running, Watched
from relay.server.api.resources.clusters import cluster_document
from relay.server.pages.clusters import Health, cluster_view
from relay.server.pages.overview import firing_alerts
from relay.watch.roll import Roll
from tests.server.conftest import Site
from tests.server.pages.filled import REPLICAS, settings
from tests.store import things
from tests.store.things import NOW, later

PROD = settings().clusters[0]
ROLL = Roll(["a1b2c3d4e5f6", "f2277ad178f7", "0123456789ab"])


def watched(**look: Any) -> Watched:
    late = look.pop("late", None)
    given = {"sources": REPLICAS, "began": 1.0, "at": NOW, **look}
    return Watched(Look(Watch("prod", "cluster_status"), **given), timedelta(seconds=15), later(15), late)


def running(site: Site, seen: list[Watched], *alerts: Alert) -> Running:
    return replace(site.running, watched=seen, scene=Scene({each.id: each for each in alerts}))


def fires(type_name: str, kind: SubjectKind, name: str, severity: Severity = Severity.CRITICAL) -> Alert:
    return things.alert(f"alr_{type_name}", type=type_name, subject=Subject(kind, name), severity=severity)


@pytest.mark.parametrize(
    ("seen", "health"),
    [
        ([watched()], Health.GOOD),
        ([], Health.UNKNOWN),
        ([watched(at=None, began=None)], Health.UNKNOWN),
        ([watched(late=120.0)], Health.UNKNOWN),
        ([watched(unread={REPLICAS[1]: "refused"})], Health.UNKNOWN),
        ([watched(unread=dict.fromkeys(REPLICAS, "refused"))], Health.UNKNOWN),
    ],
    ids=["all read", "not watched", "no look yet", "too long ago", "one unread", "all unread"],
)
async def test_only_what_was_read_whole_and_lately_is_good(
    site: Site, seen: list[Watched], health: Health
) -> None:
    assert cluster_view(PROD, running(site, seen), ROLL).quorum is health


@pytest.mark.parametrize(
    ("seen", "readable"),
    [
        ([], None),
        ([watched(at=None, began=None)], None),
        ([watched()], True),
        ([watched(unread={REPLICAS[1]: "refused"})], True),
        ([watched(unread=dict.fromkeys(REPLICAS, "refused"))], False),
        ([watched(late=120.0)], None),
        ([watched(late=120.0), watched(unread=dict.fromkeys(REPLICAS, "refused"))], False),
    ],
)
async def test_what_a_late_watcher_saw_does_not_make_it_readable(
    site: Site, seen: list[Watched], readable: bool | None
) -> None:
    assert cluster_document(PROD, running(site, seen)).readable is readable


async def test_only_alerts_that_fire_are_counted_so(site: Site) -> None:
    fire = fires("quorum.lost", SubjectKind.CLUSTER, "prod")
    pending = replace(fires("ping.slow", SubjectKind.CLUSTER, "prod"), state=AlertState.PENDING)
    now = running(site, [watched()], fire, pending)
    assert cluster_document(PROD, now).firing == cluster_view(PROD, now, ROLL).firing == 1


@pytest.mark.parametrize(
    ("alert", "health"),
    [
        (fires("quorum.lost", SubjectKind.CLUSTER, "prod"), Health.BAD),
        (fires("cluster.split_brain", SubjectKind.CLUSTER, "prod"), Health.BAD),
        (fires("quorum.at_risk", SubjectKind.CLUSTER, "prod"), Health.RISK),
        (fires("replica.unhealthy", SubjectKind.REPLICA, "f2277ad178f7", Severity.WARNING), Health.RISK),
        (fires("cluster.issue", SubjectKind.ISSUE, "table_availability"), Health.RISK),
        (fires("trust.invalid", SubjectKind.REPOSITORY, "prod/app"), Health.GOOD),
    ],
    ids=lambda each: each.type if isinstance(each, Alert) else str(each),
)
async def test_what_fires_counts(site: Site, alert: Alert, health: Health) -> None:
    view = cluster_view(PROD, running(site, [watched()], alert), ROLL)
    assert view.quorum is health
    other = replace(alert, cluster="stage")
    assert cluster_view(PROD, running(site, [watched()], other), ROLL).quorum is Health.GOOD


async def test_a_replica_stands_by_its_own(site: Site) -> None:
    about = fires("ping.failing", SubjectKind.REPLICA, REPLICAS[0])
    seen = [watched(unread={REPLICAS[1]: "connection refused"})]
    found = cluster_view(PROD, running(site, seen, about), ROLL).replicas
    assert [each.health for each in found] == [Health.BAD, Health.UNKNOWN, Health.GOOD]
    assert found[1].says == "connection refused"


def about(type_name: str, replica: str, state: AlertState = AlertState.PENDING) -> Alert:
    alert = fires(type_name, SubjectKind.REPLICA, replica, Severity.WARNING)
    return replace(alert, id=f"alr_{type_name}_{replica}", details={"replica": replica}, state=state)


async def test_the_replicas_are_those_that_the_status_tells_of(site: Site) -> None:
    found = cluster_view(PROD, running(site, [watched()]), ROLL)
    assert [(each.name, each.health) for each in found.members] == [
        (name, Health.GOOD) for name in ("0123456789ab", "a1b2c3d4e5f6", "f2277ad178f7")
    ]
    assert found.says == "It has a quorum: 3 of 3 replicas healthy, it needs 2."


@pytest.mark.parametrize(
    "seen", [[], [watched(unread=dict.fromkeys(REPLICAS, "refused"))], [watched(late=9.0)]]
)
async def test_nor_are_its_replicas_good_unless_they_were_seen(site: Site, seen: list[Watched]) -> None:
    found = cluster_view(PROD, running(site, seen), ROLL)
    assert {each.health for each in found.members} == {Health.UNKNOWN}


async def test_what_is_pending_counts_already(site: Site) -> None:
    one = about("replica.unhealthy", "a1b2c3d4e5f6")
    found = cluster_view(PROD, running(site, [watched()], one), ROLL)
    assert (found.quorum, found.says) == (
        Health.RISK, "It has a quorum: 2 of 3 replicas healthy, it needs 2."
    )  # fmt: skip
    two = about("replica.stale", "0123456789ab")
    found = cluster_view(PROD, running(site, [watched()], one, two), ROLL)
    assert (found.quorum, found.says) == (
        Health.BAD, "Too few replicas: 1 of 3 replicas healthy, it needs 2."
    )  # fmt: skip


async def test_one_that_is_no_longer_mentioned_is_missing(site: Site) -> None:
    roll = Roll(["a1b2c3d4e5f6", "f2277ad178f7"], {"0123456789ab": NOW})
    found = cluster_view(PROD, running(site, [watched()]), roll)
    assert [(each.says, each.health) for each in found.members if each.health is Health.BAD] == [
        ("missing", Health.BAD)
    ]
    assert found.quorum is Health.RISK


async def test_one_that_only_reads_still_counts(site: Site) -> None:
    found = cluster_view(PROD, running(site, [watched()], about("replica.readonly", "a1b2c3d4e5f6")), ROLL)
    assert [each.health for each in found.members] == [Health.GOOD, Health.RISK, Health.GOOD]
    assert "3 of 3" in found.says


async def test_the_worst_comes_first_then_the_latest(site: Site) -> None:
    alerts = [
        replace(things.alert(f"alr_{n}", severity=severity), starts_at=later(n))
        for n, severity in enumerate([Severity.WARNING, Severity.CRITICAL, Severity.WARNING])
    ]
    found = firing_alerts(Scene({each.id: each for each in alerts}))
    assert [each.id for each in found] == ["alr_1", "alr_2", "alr_0"]
