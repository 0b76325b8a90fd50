"""What webhook consumers rely on."""

from dataclasses import replace

from relay.model.event import Status
from relay.model.samples import sample
from relay.render import payload, plain_text
from tests.render.helpers import PUBLIC, flapping, telling


def test_one_event() -> None:
    event = sample("trust.deleted")
    assert payload(telling(event), PUBLIC) == {
        "type": "trust.deleted",
        "timestamp": "2026-11-23T20:58:11.165146Z",
        "data": {
            "id": event.id,
            "status": "event",
            "severity": "critical",
            "cluster": "prod",
            "summary": "Trust data of prod/app was deleted",
            "subject": {"kind": "repository", "name": "prod/app", "gun": "msr.example.com/prod/app"},
            "seen_at": "2026-11-23T20:58:13.165146Z",
            "labels": {},
            "annotations": {},
            "details": {"record_id": "9d7b3f52", "version": 0, "sha256": "", "feed": "all repositories"},
            "rule": "trust deletions",
            "links": {"event": f"{PUBLIC}/events/{event.id}"},
        },
    }


def test_an_alert_has_one_id_for_its_life() -> None:
    begin, end = sample("cluster.issue", Status.FIRING), sample("cluster.issue", Status.RESOLVED)
    first, last = (payload(telling(event), PUBLIC)["data"] for event in (begin, end))
    assert first["id"] == last["id"] == begin.alert
    assert (first["status"], last["status"]) == ("firing", "resolved")
    assert first["starts_at"] == last["starts_at"] == "2026-11-23T20:58:11.165146Z"
    assert (first["ends_at"], last["ends_at"]) == (None, "2026-11-23T21:07:11.165146Z")
    assert first["links"]["alert"] == f"{PUBLIC}/alerts/{begin.alert}"
    assert first["links"]["event"] != last["links"]["event"]


def test_several_events_are_items() -> None:
    events = [sample("trust.deleted"), sample("cluster.issue")]
    body = payload(telling(*events), PUBLIC)
    assert body["type"] == "group"
    assert (body["data"]["count"], body["data"]["group"]) == (2, "trust deletions")
    assert body["data"]["items"] == [payload(telling(event), PUBLIC) for event in events]
    assert payload(telling(events[0], replace(events[0], id="evt_2")), None)["type"] == "trust.deleted"


def test_both_ends_of_an_alert_are_a_group_of_it() -> None:
    begin, end = sample("cluster.issue", Status.FIRING), sample("cluster.issue", Status.RESOLVED)
    body = payload(telling(begin, end), None)
    assert (body["type"], body["data"]["group"], body["data"]["count"]) == ("cluster.issue", begin.alert, 2)


def test_a_flood_is_cut_and_still_counted() -> None:
    events = [replace(sample("trust.updated"), id=f"evt_{number}") for number in range(1000)]
    data = payload(telling(*events), None)["data"]
    assert (len(data["items"]), data["count"]) == (100, 1000)


def test_a_replay_names_what_it_repeats() -> None:
    event = sample("trust.deleted")
    assert "replay_of" not in payload(telling(event), None)["data"]
    assert payload(telling(event, replay_of="dlv_0"), None)["data"]["replay_of"] == "dlv_0"
    assert (
        payload(telling(event, sample("cluster.issue"), replay_of="dlv_0"), None)["data"]["replay_of"]
        == "dlv_0"
    )


def test_only_what_flaps_says_so() -> None:
    assert payload(telling(flapping("cluster.issue")), None)["data"]["flapping"] is True
    for event in (flapping("cluster.issue", 0), sample("cluster.issue"), sample("trust.deleted")):
        assert "flapping" not in payload(telling(event), None)["data"]


def test_the_plain_form_says_what_flaps() -> None:
    title, text = plain_text(telling(flapping("ping.failing")), None)
    assert title == "[prod] WARNING: Replica msr-2.example.com is unhealthy: storage (flapping)"
    assert "flaps: {'changes': 7, 'within_seconds': 600.0}" in text


def test_the_plain_form_tells_event_and_fault() -> None:
    title, text = plain_text(telling(sample("trust.deleted")), "slack/x.json.j2, line 3: 'evnt' is undefined")
    assert title == "[prod] CRITICAL: Trust data of prod/app was deleted"
    assert "record_id: 9d7b3f52" in text
    assert "happened at: 2026-11-23T20:58:11.165146Z" in text
    assert text.endswith("built-in form: slack/x.json.j2, line 3: 'evnt' is undefined")
    assert "built-in" not in plain_text(telling(sample("trust.deleted")), None)[1]


def test_the_plain_form_of_a_group() -> None:
    events = [replace(sample("trust.updated"), id=f"evt_{number}") for number in range(12)]
    title, text = plain_text(telling(*events, sample("trust.deleted")), None)
    assert title == "CRITICAL: 13 messages, of which the worst: Trust data of prod/app was deleted"
    assert len(text.splitlines()) == 11
    assert text.endswith("… and 3 more")
