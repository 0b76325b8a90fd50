"""What is counted, by what is told; and the page that lists it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from relay.model.delivery import ChannelHealth, DeliveryState, Outcome
from relay.model.errors import StoreError
from relay.model.observation import Failure, Watch
from relay.model.plan import Plan, Rewrite
from relay.model.telemetry import Attempted, Cause, Looked, LookOutcome, Several, Telemetry, cause_of
from relay.server.metrics import Metrics, Standing
from relay.server.metrics_reference import METRICS, page
from relay.store import CursorMovedError, Queue
from tests.store.things import NOW, delivery, event, later
from tests.support.clock import ManualClock

PING = Watch("prod", "ping")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(ManualClock(NOW))


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"msr_relay_{name}", labels)


def test_the_page_is_fresh() -> None:
    assert (Path(__file__).parents[2] / METRICS).read_text(encoding="utf-8") == page(), "run: make schema"


def test_names_and_units_are_those_of_prometheus(metrics: Metrics) -> None:
    for each in metrics.described:
        assert re.fullmatch(r"msr_relay_[a-z_]+", each.name)
        assert each.name.endswith("_total") == (each.kind == "counter")
        assert each.kind != "histogram" or each.name.endswith("_seconds")
        assert not {"repository", "event", "id", "delivery", "alert"} & set(each.labels)


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (Failure("r1", "no route", silent=True, dark=True), Cause.UNREACHABLE),
        (Failure("r1", "slow down", retry_after=5.0), Cause.THROTTLED),
        (Failure("r1", "wrong password", at_once=True), Cause.REFUSED),
        (Failure("r1", "500", internal=True, dark=True), Cause.INTERNAL),
        (Failure("r1", "no JSON", dark=True), Cause.UNREADABLE),
        (Failure("r1", "hm"), Cause.OTHER),
    ],
)
def test_a_failure_counts_by_its_cause(metrics: Metrics, failure: Failure, cause: Cause) -> None:
    assert cause_of(failure) is cause
    metrics.looked(Looked(PING, LookOutcome.PARTIAL, 0.2, [failure], ["r1", "r2"]))
    labels = {"cluster": "prod", "watcher": "ping", "replica": "r1", "cause": cause.value}
    assert value(metrics, "look_failures_total", **labels) == 1
    assert value(metrics, "look_seconds_sum", cluster="prod", watcher="ping", outcome="partial") == 0.2


def test_a_repository_is_no_label(metrics: Metrics) -> None:
    looked = Looked(Watch("prod", "changefeed"), LookOutcome.UNREAD, 1, [Failure("prod/app", "no")], ["r1"])
    metrics.looked(looked)
    text = metrics.exposition(Standing(NOW, "host"), "")[0].decode()
    assert 'replica=""' in text
    assert "prod/app" not in text


def test_one_event_for_several_channels_is_one_match(metrics: Metrics) -> None:
    sent = [delivery(f"dlv_{name}", "evt_1", channel=name) for name in ("a", "b")]
    held = delivery("dlv_c", "evt_1", channel="c", state=DeliveryState.HELD)
    plan = Plan(
        events=(event("evt_1"), event("evt_2")), deliveries=(*sent, held), unrouted=frozenset({"evt_2"})
    )
    metrics.committed(PING, plan)
    assert value(metrics, "rule_matches_total", rule="all") == 1
    assert value(metrics, "events_total", cluster="prod", type="trust.deleted", status="event") == 2
    assert value(metrics, "events_unrouted_total", type="trust.deleted") == 1
    assert value(metrics, "deliveries_decided_total", channel="a", reason="new") == 1
    assert value(metrics, "deliveries_total", channel="c", state="held", reason="new") == 1
    assert value(metrics, "deliveries_total", channel="a", state="pending", reason="new") is None


def test_a_delivery_counts_when_it_comes_to_a_state(metrics: Metrics) -> None:
    waiting = replace(delivery("dlv_1"), seq=1)
    tried = replace(waiting, attempts=1, due_at=later(5), ready_at=NOW)
    metrics.attempted(Attempted(tried, (), "webhook", NOW, 0.5, Outcome.RETRY, 503, "busy"))
    assert value(metrics, "attempt_seconds_count", channel="soc", outcome="retry") == 1
    assert value(metrics, "delivery_seconds_count", channel="soc") is None
    done = replace(tried, state=DeliveryState.DELIVERED, attempts=2, finished_at=later(5))
    metrics.attempted(Attempted(done, (), "webhook", later(5), 0.1, Outcome.DELIVERED, 200))
    assert value(metrics, "deliveries_total", channel="soc", state="delivered", reason="new") == 1
    assert value(metrics, "delivery_seconds_sum", channel="soc") == 5


def test_what_stays_silenced_counts_once(metrics: Metrics) -> None:
    waiting = delivery("dlv_1")
    silenced = replace(waiting, state=DeliveryState.SILENCED)
    metrics.rewritten({"dlv_1": waiting}, Rewrite((silenced,)))
    metrics.rewritten({"dlv_1": silenced}, Rewrite((replace(silenced, due_at=later(60)),)))
    assert value(metrics, "deliveries_total", channel="soc", state="silenced", reason="new") == 1


def test_an_error_of_the_store_counts_and_passes(metrics: Metrics) -> None:
    for error in (StoreError("full"), CursorMovedError("moved")):
        with pytest.raises(type(error)), metrics.storing("commit"):
            raise error
    assert value(metrics, "store_errors_total", operation="commit") == 1
    assert value(metrics, "store_seconds_count", operation="commit") == 2


def test_every_use_of_the_store_is_shown_before_the_first(metrics: Metrics) -> None:
    metrics.know((), (), ())
    for operation in ("commit", "settle", "rewrite", "write", "read", "view"):
        assert value(metrics, "store_errors_total", operation=operation) == 0
        assert value(metrics, "store_seconds_count", operation=operation) == 0


def test_what_is_gone_is_no_longer_shown(metrics: Metrics) -> None:
    queue = Queue({DeliveryState.PENDING: 2}, 1, later(-90))
    standing = Standing(NOW, "host", {}, [ChannelHealth("a"), ChannelHealth("b")], {"a": queue})
    metrics.exposition(standing, "")
    assert value(metrics, "queue_oldest_ready_age_seconds", channel="a") == 90
    assert value(metrics, "queue_ready_deliveries", channel="b") == 0
    metrics.exposition(Standing(NOW, "host", {"store": "gone"}, [ChannelHealth("b")], None), "")
    assert value(metrics, "queue_oldest_ready_age_seconds", channel="a") is None
    assert value(metrics, "queue_ready_deliveries", channel="b") is None, "not known is not none"
    assert value(metrics, "store_up") == value(metrics, "ready") == 0


def test_who_prefers_openmetrics_gets_it(metrics: Metrics) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    body, content_type = metrics.exposition(Standing(NOW, "host"), accept)
    assert content_type.startswith("application/openmetrics-text")
    assert "msr_relay_build_info" in {family.name for family in openmetrics(body.decode())}
    assert body.endswith(b"# EOF\n")


def raise_it(error: Exception) -> None:
    raise error


def test_several_are_told_alike() -> None:
    counting = [Metrics(ManualClock(NOW)), Metrics(ManualClock(NOW))]
    both = Several([*counting, Telemetry()], raise_it)
    both.looking(PING, NOW)
    both.looked(Looked(PING, LookOutcome.READ, 1))
    both.committed(PING, Plan(events=(event("evt_1"),)))
    both.rewritten({}, Rewrite(added=(delivery("dlv_1"),)))
    both.attempted(Attempted(delivery("dlv_1"), (), "webhook", NOW, 1, Outcome.DELIVERED))
    with both.storing("read"):
        pass
    assert both.traceparent(delivery("dlv_1")) is None
    for name, labels in {
        "look_seconds_count": {"cluster": "prod", "watcher": "ping", "outcome": "read"},
        "events_total": {"cluster": "prod", "type": "trust.deleted", "status": "event"},
        "deliveries_decided_total": {"channel": "soc", "reason": "new"},
        "attempt_seconds_count": {"channel": "soc", "outcome": "delivered"},
        "store_seconds_count": {"operation": "read"},
    }.items():
        assert [value(each, name, **labels) for each in counting] == [1, 1], name
