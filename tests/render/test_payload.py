"""What webhook consumers rely on."""

import json
from dataclasses import replace
from datetime import timedelta

from relay.model.delivery import Reason
from relay.model.event import Status
from relay.model.samples import sample
from relay.model.silence import Acknowledgement
from relay.render import RuleAbout, payload, plain_text
from tests.render.helpers import NOW, PUBLIC, flapping, telling


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
            "details": event.details,
            "rule": "trust deletions",
            "reason": "new",
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
    events = [replace(sample("trust.updated"), id=f"evt_{number}") for number in range(1200)]
    data = payload(telling(*events), None)["data"]
    assert (len(data["items"]), data["more"], data["count"]) == (1000, 200, 1200)
    data = payload(telling(*events, more=30), None)["data"]
    assert (len(data["items"]), data["more"], data["count"]) == (1000, 230, 1230)


def test_several_say_what_they_have_in_common() -> None:
    events = [sample("trust.deleted"), sample("cluster.issue")]
    told = telling(
        *events,
        thread="grp_1",
        group={"cluster": "prod", "namespace": "", "labels.team": "blue"},
        reason=Reason.GROUP,
        part=2,
        parts=3,
    )
    data = payload(told, None)["data"]
    assert data["group"] == "trust deletions: cluster prod, labels.team blue"
    assert data["group_by"] == {"cluster": "prod", "namespace": "", "labels.team": "blue"}
    assert (data["group_id"], data["part"], data["parts"], data["reason"]) == ("grp_1", 2, 3, "group")
    assert [item["data"]["reason"] for item in data["items"]] == ["new", "new"]


def test_a_part_with_one_item_is_still_a_part() -> None:
    body = payload(telling(sample("trust.deleted"), part=3, parts=3, thread="grp_1"), None)
    assert (body["type"], body["data"]["count"], len(body["data"]["items"])) == ("trust.deleted", 1, 1)


def test_a_repeat_says_so_in_every_item() -> None:
    event = sample("cluster.issue")
    assert payload(telling(event, reason=Reason.REPEAT), None)["data"]["reason"] == "repeat"
    two = payload(telling(event, sample("replica.stale"), reason=Reason.REPEAT), None)["data"]
    assert [two["reason"], *(item["data"]["reason"] for item in two["items"])] == ["repeat"] * 3
    assert payload(telling(event, reason=Reason.DIGEST), None)["data"]["reason"] == "new"


def test_who_takes_care_of_it() -> None:
    event = sample("cluster.issue")
    known = Acknowledgement("alr_1", "alice", NOW, "on it", NOW + timedelta(hours=1))
    data = payload(telling(event, acknowledged=known), None)["data"]
    assert data["acknowledged"] == {
        "by": "alice",
        "at": "2026-11-23T21:00:00Z",
        "note": "on it",
        "until": "2026-11-23T22:00:00Z",
    }
    assert "acknowledged" not in payload(telling(event), None)["data"]


def test_a_rule_adds_its_words() -> None:
    event = replace(
        sample("trust.deleted"),
        labels={"team": "red", "tier": "1"},
        annotations={"runbook_url": "https://wiki.example.com/cluster"},
    )
    about = RuleAbout({"team": "blue"}, {"who": "call Bob"}, "https://wiki.example.com/rule")
    data = payload(telling(event, rule_about=about), None)["data"]
    assert data["labels"] == {"team": "blue", "tier": "1"}
    assert data["annotations"]["who"] == "call Bob"
    assert data["links"] == {"runbook": "https://wiki.example.com/rule"}
    data = payload(telling(event, sample("cluster.issue"), rule_about=RuleAbout({"team": "blue"})), None)
    assert data["data"]["items"][0]["data"]["links"] == {"runbook": "https://wiki.example.com/cluster"}
    assert data["data"]["items"][1]["data"]["links"] == {}
    assert data["data"]["items"][1]["data"]["labels"] == {"team": "blue"}


def test_only_web_addresses_become_links() -> None:
    for bad in ("javascript:alert(1)", "https://x.example/|y", "https://u:p@x.example/", "//x", "no"):
        event = replace(sample("trust.deleted"), annotations={"runbook_url": bad})
        assert payload(telling(event), None)["data"]["links"] == {}, bad


def test_programs_get_no_link_that_acknowledges() -> None:
    told = telling(sample("cluster.issue"), acknowledge_url=lambda _thread: "https://secret.example")
    assert "secret.example" not in json.dumps(payload(told, PUBLIC))


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
