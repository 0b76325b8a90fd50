"""SIGKILL at every step of the data path: nothing is lost, and only what was in flight comes twice."""

import json
import signal
from collections import Counter
from collections.abc import Iterable

import pytest

from relay.model.steps import Step
from relay.watch.position import Position
from tests.acceptance.conftest import MakeRelay
from tests.acceptance.evidence import recorded
from tests.acceptance.imitated import Cluster
from tests.acceptance.relay import Relay, until
from tests.acceptance.told import Told, told, webhook
from tests.real.webhooks import Receiver

IN_THE_MIDDLE = {
    Step.READ: 8,
    Step.PLANNED: 6,
    Step.COMMITTING: 5,
    Step.COMMITTED: 4,
    Step.CLAIMED: 5,
    Step.RENDERED: 6,
    Step.SENT: 6,
    Step.SETTLING: 4,
    Step.SETTLED: 6,
}
"""The how-manieth time of each step lies within the work on ten deletions and an alert."""

GROUPING = {Step.REWRITING: 2, Step.REWRITTEN: 1}
"""The steps that only what is put together passes, and the how-manieth time is tried."""

AT_ONCE = {"one": 1, "four": 4}
"""The channels, and how many messages each has under way at most."""
KILLS = 2
SENT_AND_NOT_SETTLED = {Step.SENT, Step.SETTLING}


def test_every_step_is_tried() -> None:
    assert set(IN_THE_MIDDLE) | set(GROUPING) == set(Step)


@pytest.mark.parametrize("step", [*GROUPING, Step.CLAIMED, Step.SENT, Step.SETTLED])
def test_killed_while_it_groups_everything_is_told_in_groups(
    step: Step, cluster: Cluster, webhooks: Receiver, make_relay: MakeRelay
) -> None:
    relay = make_relay(
        {
            "clusters": [
                cluster.settings(
                    watch={"changefeed": {"every": "100ms", "start": "beginning", "page": 3}},
                    mass_deletion="off",
                )
            ],
            "channels": [webhook(webhooks, "soc", "/soc", timeout="10s")],
            "rules": [
                {
                    "name": "deletions",
                    "match": {"type": "trust.deleted"},
                    "channels": ["soc"],
                    "group": {"by": [], "wait": "300ms", "interval": "500ms"},
                }
            ],
        }
    )
    deleted = [f"prod/app-{number}" for number in range(12)]
    cluster.delete(*deleted[:6])
    _dies(relay, step.value)
    cluster.delete(*deleted[6:])
    _dies(relay, f"{step.value}:{GROUPING.get(step, 1)}")
    relay.start()
    until(lambda: set(_listed(webhooks)) == set(deleted), "all deletions came")
    until(lambda: not _pending(relay), "nothing is left to send")
    assert relay.stop() == 0
    twice = [name for name, count in Counter(_listed(webhooks)).items() if count > 1]
    assert not twice, "each is told by one message"
    bodies = {got.headers["webhook-id"] for got in webhooks.requests.items if got.path == "/soc"}
    assert len(bodies) < len(deleted), "they came in groups"


def _listed(webhooks: Receiver) -> list[str]:
    """The repositories of all messages, those of one that came again once."""
    # Another test's relay may still ask for what was at this port before.
    messages = {
        got.headers["webhook-id"]: json.loads(got.body)
        for got in webhooks.requests.items
        if got.path == "/soc"
    }
    return [
        item["data"]["subject"]["name"]
        for body in messages.values()
        for item in body["data"].get("items", [body])
    ]


@pytest.mark.parametrize("step", list(IN_THE_MIDDLE))
def test_killed_at_a_step_nothing_is_lost(
    step: Step, cluster: Cluster, webhooks: Receiver, make_relay: MakeRelay
) -> None:
    relay = make_relay(
        {
            "clusters": [
                cluster.settings(
                    watch={
                        "changefeed": {"every": "100ms", "start": "beginning", "page": 3},
                        "cluster_status": "100ms",
                    },
                    mass_deletion="off",
                )
            ],
            "channels": [
                webhook(webhooks, name, f"/{name}", concurrency=most, timeout="10s")
                for name, most in AT_ONCE.items()
            ],
        }
    )
    issue = cluster.do(lambda it: it.raise_issue("table_availability", "not ready", critical=True))
    deleted = [f"prod/app-{number}" for number in range(10)]
    cluster.delete(*deleted[:5])
    _dies(relay, step.value)
    _prove(relay, deleted[:5])
    first_cursor = _cursor(relay)

    cluster.delete(*deleted[5:])
    cluster.do(lambda it: it.clear_issue(issue))
    _dies(relay, f"{step.value}:{IN_THE_MIDDLE[step]}")
    _prove(relay, deleted)
    second_cursor = _cursor(relay)

    second_issue = cluster.do(lambda it: it.raise_issue("memory_error", "too little", critical=False))
    relay.start()
    for name in AT_ONCE:
        until(lambda name=name: _deletions(told(webhooks, f"/{name}")) >= set(deleted), "all deletions came")
        until(lambda name=name: _issues(told(webhooks, f"/{name}"), "firing"), "the issue was told")
    cluster.do(lambda it: it.clear_issue(second_issue))
    for name in AT_ONCE:
        until(lambda name=name: _all_resolved(told(webhooks, f"/{name}")), "all alerts were resolved")
    until(lambda: not _pending(relay), "nothing is left to send")
    assert relay.stop() == 0

    if step in SENT_AND_NOT_SETTLED:
        assert any(_repeats(told(webhooks, f"/{name}")) for name in AT_ONCE), "what was sent comes again"
    for name, most in AT_ONCE.items():
        # As many as are under way, and as many that are not recorded yet, less the one that made room.
        _check(told(webhooks, f"/{name}"), deleted, repeats=KILLS * (2 * most - 1))
    assert _deletion_events(relay) == len(deleted), "a repeated reading is not a new event"
    assert recorded(relay.store) == Counter(deleted), "nor is it a new entry of the evidence"
    feed = [entry.id for entry in cluster.do(lambda it: it.feed.select("0", 1000, None))]
    heads = [cursor for cursor in (first_cursor, second_cursor, _cursor(relay)) if cursor is not None]
    assert heads == sorted(heads, key=feed.index), "the cursor never goes back"
    assert heads[-1] == feed[-1]


def _dies(relay: Relay, stop_at: str) -> None:
    relay.start(stop_at, wait=False)
    assert relay.wait() == -signal.SIGKILL, relay.log()


def _prove(relay: Relay, deleted: list[str]) -> None:
    """What was written holds, and is what is in the table of events: both were committed together."""
    found = recorded(relay.store)
    assert found.total() == _deletion_events(relay)
    assert found <= Counter(deleted), "none of it twice"


def _cursor(relay: Relay) -> str | None:
    """The record that was read last, None if the feed was never read."""
    if not relay.rows("SELECT 1 FROM sqlite_master WHERE name = 'cursors'"):
        return None
    found = relay.rows("SELECT value FROM cursors WHERE scope LIKE 'prod/changefeed/%'")
    head = Position.read(found[0][0]).head if found else None
    return None if head is None else head.id


def _pending(relay: Relay) -> int:
    return int(relay.rows("SELECT count(*) FROM deliveries WHERE state = 'pending'")[0][0])


def _deletion_events(relay: Relay) -> int:
    return int(relay.rows("SELECT count(*) FROM events WHERE type = 'trust.deleted'")[0][0])


def _deletions(messages: Iterable[Told]) -> set[str]:
    return {each.name for each in messages if each.type == "trust.deleted"}


def _issues(messages: Iterable[Told], status: str) -> set[str]:
    return {each.data["id"] for each in messages if each.type == "cluster.issue" and each.status == status}


def _all_resolved(messages: list[Told]) -> bool:
    return _issues(messages, "firing") == _issues(messages, "resolved")


def _repeats(messages: list[Told]) -> int:
    return len(messages) - len({each.delivery for each in messages})


def _check(messages: list[Told], deleted: list[str], repeats: int) -> None:
    assert _deletions(messages) == set(deleted)
    assert _repeats(messages) <= repeats
    facts = Counter(
        (each.data["id"], each.status) for each in {each.delivery: each for each in messages}.values()
    )
    assert set(facts.values()) == {1}, "a repeat has the same id as what it repeats"
    assert _issues(messages, "firing") == _issues(messages, "resolved") != set()
    assert {each.type for each in messages} == {"trust.deleted", "cluster.issue"}
