"""What would become of an event, and why a delivery is where it is."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from relay.engine.draft import Rules, World
from relay.engine.inhibition import Inhibitions, InhibitRule
from relay.engine.outlook import Look, Outlook, outlook, why
from relay.engine.routing import Router
from relay.engine.rules import Rule
from relay.engine.scene import Scene, Silences, Standing, standing
from relay.model.alert import Alert
from relay.model.delivery import ChannelHealth, ChannelState, Delivery, DeliveryState, Reason
from relay.model.event import Event, Status
from relay.model.plan import Group
from relay.model.samples import sample
from relay.model.silence import Acknowledgement, Silence
from tests.store.things import NOW, alert, delivery, event, later

HOUR = timedelta(hours=1)


def silence(match: dict[str, Any], hours: float = 2, start: datetime = NOW) -> Silence:
    return Silence("sil_1", match, start, start + hours * HOUR, "alice", "patching", NOW)


def seen(
    about: Event,
    *rules: dict[str, Any],
    silences: tuple[Silence, ...] = (),
    open_alerts: tuple[Alert, ...] = (),
    groups: tuple[Group, ...] = (),
    inhibit: tuple[dict[str, Any], ...] = (),
) -> Outlook:
    made = [
        Rule.model_validate({"name": f"r{at}", "channels": "soc", **each}) for at, each in enumerate(rules)
    ]
    router = Router(made, ["soc", "ops"], lambda _source: lambda _event: True)
    inhibitions = Inhibitions(InhibitRule.model_validate(each) for each in inhibit)
    world = World(
        {each.fingerprint: each for each in open_alerts}, groups={each.key: each for each in groups}
    )
    scene = Scene({each.id: each for each in open_alerts}, Silences(silences), {}, router.rules)
    return outlook(about, world, Rules(router, inhibitions), scene, NOW)


def dues(found: Outlook) -> list[tuple[str, str, float]]:
    return [
        (way.delivery.channel, str(way.delivery.reason), (way.delivery.due_at - NOW).total_seconds())
        for way in found.ways
    ]


def test_a_deletion_that_a_mass_deletion_would_tell() -> None:
    mass = alert("alr_1", type="trust.mass_deletion", details=dict(sample("trust.mass_deletion").details))
    found = seen(sample("trust.deleted"), {"group": {}}, open_alerts=(mass,))
    (way,) = found.ways
    assert way.hold is not None
    assert (way.hold.state, way.hold.until) == (DeliveryState.INHIBITED, None)
    assert way.hold.note == "alr_1 lists it with others"
    assert not way.delivery.gathered


def test_a_mass_deletion_goes_where_what_it_lists_would_go() -> None:
    rules = (
        {"match": {"type": "trust.deleted", "repository": "shop/*"}, "template": "shop", "after": "1h"},
        {"match": {"type": "trust.deleted", "repository": "other/*"}, "channels": "ops"},
    )
    (way,) = seen(sample("trust.mass_deletion"), *rules).ways
    assert (way.delivery.channel, way.delivery.rule, way.delivery.template) == ("soc", "r0", None)
    assert way.delivery.due_at == NOW
    assert way.hold is None


def test_what_waits_and_who_hears_of_it_later() -> None:
    rule = {"after": "30s", "escalate": [{"after": "15m", "channels": "ops"}]}
    firing = sample("cluster.issue", Status.FIRING)
    assert dues(seen(firing, rule)) == [("soc", "new", 30), ("ops", "escalation", 900)]
    assert dues(seen(sample("trust.deleted"), rule)) == [("soc", "new", 0), ("ops", "escalation", 900)]
    ended = sample("cluster.issue", Status.RESOLVED)
    assert dues(seen(ended, rule)) == [("soc", "new", 0), ("ops", "new", 0)]
    assert dues(seen(ended, {**rule, "on_resolve": False})) == []


def test_what_is_gathered_joins_a_group_that_there_is() -> None:
    about = sample("trust.deleted")
    rule = {"group": {"by": ["cluster", "type"], "wait": "1m"}}
    (alone,) = seen(about, rule).ways
    assert (alone.delivery.group, alone.joins) == ({"cluster": "prod", "type": "trust.deleted"}, False)
    assert alone.delivery.due_at == later(60)
    known = Group(alone.delivery.thread, _key(alone.delivery), NOW - timedelta(seconds=40), later(20))
    (joining,) = seen(about, rule, groups=(known,)).ways
    assert (joining.joins, joining.delivery.due_at) == (True, later(20))


def _key(made: Delivery) -> str:
    from relay.engine.grouping import key_of

    return key_of(made.rule, made.group or {})


def test_a_silence_counts_when_the_message_is_due() -> None:
    rule = {"escalate": [{"after": "3h", "channels": "ops"}]}
    found = seen(sample("cluster.issue", Status.FIRING), rule, silences=(silence({"cluster": "prod"}),))
    assert [way.hold and way.hold.state for way in found.ways] == [DeliveryState.SILENCED, None]
    assert [each.id for each in found.silences] == ["sil_1"]
    other = seen(sample("cluster.issue", Status.FIRING), rule, silences=(silence({"cluster": "lab"}),))
    assert [way.hold for way in other.ways] == [None, None]
    assert other.silences == []


def test_what_covers_an_alert() -> None:
    firing = sample("replica.unhealthy", Status.FIRING)
    way = {"source": {"type": "ping.failing"}, "target": {"type": "replica.*"}}
    larger = alert("alr_9", type="ping.failing")
    free, covered = seen(firing, {}, inhibit=(way,)), seen(firing, {}, inhibit=(way,), open_alerts=(larger,))
    assert [way.hold for way in free.ways] == [None]
    assert [[each.id for each in alerts] for _, alerts in free.covers] == [[], []]
    assert [way.hold and way.hold.state for way in covered.ways] == [DeliveryState.INHIBITED]
    assert [[each.id for each in alerts] for _, alerts in covered.covers] == [[], ["alr_9"]]
    ended = seen(sample("replica.unhealthy", Status.RESOLVED), {}, inhibit=(way,), open_alerts=(larger,))
    assert ended.covers == ()
    assert [way.hold for way in ended.ways] == [None]


def test_how_a_silence_stands() -> None:
    ahead = silence({}, start=later(60))
    assert [standing(ahead, later(each)) for each in (0, 60, 7259, 7260)] == [
        *(Standing.AHEAD, Standing.HOLDS, Standing.HOLDS, Standing.ENDED)
    ]


FIRING = event("evt_1", alert="alr_1", status=Status.FIRING, type="cluster.issue")
WAITING = delivery("dlv_1", "evt_1", thread="alr_1", due_at=later(60))


def look(**given: Any) -> Look:
    scene = given.pop("scene", Scene({"alr_1": alert("alr_1")}))
    known: dict[str, Any] = {
        "now": NOW,
        "scene": scene,
        "events": {"evt_1": FIRING},
        "health": ChannelHealth("soc"),
        "say": lambda at: f"{at:%H:%M}",
        "alive": NOW,
    }
    return Look(**(known | given))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "It waits until 21:01: its rule tells it only if it still fires then."),
        (
            {"attempts": 2, "last_error": "status 500"},
            "It waits until 21:01: attempt 2 failed (status 500), and it is tried again then.",
        ),
        ({"gathered": True}, "It waits until 21:01: until then its group gathers what is told with it."),
        ({"reason": Reason.REPEAT}, "It waits until 21:01: then it tells again what still fires."),
        (
            {"reason": Reason.ESCALATION},
            "It waits until 21:01: then it goes out, unless it is over or acknowledged.",
        ),
        ({"due_at": NOW}, "It is due: it goes out as soon as its channel comes to it."),
    ],
)
def test_what_waits(changes: dict[str, Any], said: str) -> None:
    assert why(replace(WAITING, **changes), look()) == [said]


@pytest.mark.parametrize(
    ("state", "changes", "said"),
    [
        (DeliveryState.DELIVERED, {}, ["Every target has taken it at 21:00."]),
        (
            DeliveryState.DEAD,
            {"last_error": "status 400"},
            [
                "It was refused for good at 21:00: status 400.",
                "Mend the cause; then msr-relay deliveries replay dlv_1 sends it.",
            ],
        ),
        (
            DeliveryState.GROUPED,
            {"merged_into": "dlv_2"},
            ["dlv_2 tells it together with others, which is pending."],
        ),
        (DeliveryState.SUPERSEDED, {"note": "it is over"}, ["Nothing was left to say at 21:00: it is over."]),
        (
            DeliveryState.HELD,
            {},
            ["Channel soc is not configured: it goes out when that is there again."],
        ),
        (
            DeliveryState.SILENCED,
            {"note": "sil_1: patching"},
            [
                "It was silenced at 21:00 by sil_1: patching.",
                "A one-off event stays so, even when the silence ends; "
                "msr-relay deliveries replay dlv_1 sends it all the same.",
            ],
        ),
        (
            DeliveryState.INHIBITED,
            {"note": "alr_1 lists it with others"},
            [
                "It was not sent by itself: alr_1 lists it with others.",
                "msr-relay alerts show says who was told of that alert; "
                "msr-relay deliveries replay dlv_1 sends it all the same.",
            ],
        ),
    ],
)
def test_what_is_finished(state: DeliveryState, changes: dict[str, Any], said: list[str]) -> None:
    found = replace(WAITING, state=state, finished_at=NOW, **changes)
    assert why(found, look(into=delivery("dlv_2"))) == said


def test_what_is_held_back_and_what_would_hold_it_now() -> None:
    held = replace(WAITING, state=DeliveryState.SILENCED, note="sil_1: patching")
    assert why(held, look()) == [
        "It is held back (silenced): sil_1: patching.",
        "It is looked at again at 21:01, or when that changes.",
        "Looked at 21:00, nothing would hold it back.",
    ]
    scene = Scene({"alr_1": alert("alr_1", inhibited=True)})
    covers = {"alr_1": [alert("alr_9", summary="Nothing of prod can be read")]}
    assert why(WAITING, look(scene=scene, covers=covers))[1:] == [
        "Looked at 21:00, it would be held back (inhibited): a larger alert covers it.",
        "alr_9 covers it: Nothing of prod can be read.",
    ]
    acknowledged = Scene(
        {"alr_1": alert("alr_1")}, acknowledged={"alr_1": Acknowledgement("alr_1", "bob", NOW)}
    )
    later_on = replace(WAITING, reason=Reason.ESCALATION)
    assert "(acknowledged): acknowledged by bob" in why(later_on, look(scene=acknowledged))[1]


@pytest.mark.parametrize(
    ("health", "said"),
    [
        (None, "It is due, but channel soc is not configured."),
        (
            ChannelHealth("soc", ChannelState.DISABLED, NOW, reason="moving", by="bob"),
            "It is due, but channel soc is disabled by bob: moving.",
        ),
        (
            ChannelHealth("soc", ChannelState.FAILING, NOW, reason="time-out", probe_at=later(120)),
            "It is due, but channel soc is failing (time-out); it is tried again at 21:02.",
        ),
        (
            ChannelHealth("soc", probe_at=later(120)),
            "It is due, but channel soc has asked to be left alone; it is tried again at 21:02.",
        ),
    ],
)
def test_what_its_channel_keeps_from_being_sent(health: ChannelHealth | None, said: str) -> None:
    assert why(replace(WAITING, due_at=NOW), look(health=health))[0] == said


def test_nothing_overtakes_within_a_thread() -> None:
    first = replace(delivery("dlv_0", "evt_1", thread="alr_1"), seq=1)
    mine = replace(WAITING, due_at=NOW, seq=2)
    assert why(mine, look(queue=[first, mine])) == [
        "dlv_0 of the same thread goes first, and is pending: nothing overtakes it."
    ]


@pytest.mark.parametrize(
    ("alive", "said"),
    [
        (NOW - timedelta(minutes=4), "No relay seems to run on this store: the last one was alive at 20:56."),
        (None, "No relay seems to run on this store."),
    ],
)
def test_no_relay_runs(alive: datetime | None, said: str) -> None:
    assert why(WAITING, look(alive=alive))[-1] == said


def test_nothing_but_its_receiver_holds_back_a_replay() -> None:
    scene = Scene({"alr_1": alert("alr_1")}, Silences([silence({"cluster": "prod"})]))
    again = replace(WAITING, due_at=NOW, replay_of="dlv_0")
    assert why(again, look(scene=scene)) == ["It is due: it goes out as soon as its channel comes to it."]
    assert len(why(replace(again, replay_of=None), look(scene=scene))) == 2
