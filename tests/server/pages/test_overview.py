"""How a cluster stands, by what could be read and what fires: what cannot be read is never good."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from relay.engine.scene import Scene
from relay.model.alert import Alert
from relay.model.event import Subject, SubjectKind
from relay.model.observation import Look, Watch
from relay.model.severity import Severity
from relay.server import Running, Watched
from relay.server.pages.overview import Health, cluster_view, firing_alerts
from tests.server.conftest import Site
from tests.server.pages.filled import REPLICAS, settings
from tests.store import things
from tests.store.things import NOW, later

PROD = settings().clusters[0]


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
    assert cluster_view(PROD, running(site, seen)).quorum is health


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
    view = cluster_view(PROD, running(site, [watched()], alert))
    assert view.quorum is health
    other = replace(alert, cluster="stage")
    assert cluster_view(PROD, running(site, [watched()], other)).quorum is Health.GOOD


async def test_a_replica_stands_by_its_own(site: Site) -> None:
    about = fires("ping.failing", SubjectKind.REPLICA, REPLICAS[0])
    seen = [watched(unread={REPLICAS[1]: "connection refused"})]
    found = cluster_view(PROD, running(site, seen, about)).replicas
    assert [each.health for each in found] == [Health.BAD, Health.UNKNOWN, Health.GOOD]
    assert found[1].says == "connection refused"


async def test_the_worst_comes_first_then_the_latest(site: Site) -> None:
    alerts = [
        replace(things.alert(f"alr_{n}", severity=severity), starts_at=later(n))
        for n, severity in enumerate([Severity.WARNING, Severity.CRITICAL, Severity.WARNING])
    ]
    found = firing_alerts(Scene({each.id: each for each in alerts}))
    assert [each.id for each in found] == ["alr_1", "alr_2", "alr_0"]
