"""What the shipped templates say: every type, status and kind of channel."""

import json
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from slack_sdk.models.blocks import Block

from relay.model.catalogue import CATALOGUE
from relay.model.event import Event, Status
from relay.model.samples import sample
from relay.model.severity import Severity
from relay.render import Renderer
from tests.render.helpers import PARTS, PLACES, PUBLIC, StillClock, every_event, flapping, telling

EVENTS = list(every_event())
IDS = [f"{event.type}-{event.status}" for event in EVENTS]


def said(renderer: Renderer, *events: Event, **other: str) -> dict[str, str]:
    """All parts of all kinds, by `kind/part`, unescaped where JSON would hide what is read."""
    found = {}
    for kind, parts in PARTS.items():
        for part, text in renderer.render(kind, parts, telling(*events, **other)).items():
            whole = json.dumps(json.loads(text), ensure_ascii=False) if part == "json" else text
            found[f"{kind}/{part}"] = whole.replace("&#39;", "'")
    return found


def test_the_shipped_templates_have_no_fault(renderer: Renderer) -> None:
    assert renderer.check() == []


@pytest.mark.parametrize("event", EVENTS, ids=IDS)
def test_every_event_is_told_in_every_place(renderer: Renderer, event: Event) -> None:
    headline = renderer.render("apprise", ["title.txt"], telling(event))["title.txt"].partition(": ")[2]
    assert headline
    texts = said(renderer, event)
    webhook = texts.pop("webhook/json")
    assert event.summary in webhook
    for place, text in texts.items():
        assert headline in text, place
        assert (event.cluster or "msr-relay") in text, place


@pytest.mark.parametrize("event", EVENTS, ids=IDS)
def test_slack_takes_every_message(renderer: Renderer, event: Event) -> None:
    document = json.loads(renderer.render("slack", ["json"], telling(event))["json"])
    assert document["text"]
    blocks = Block.parse_all(document["blocks"])
    assert len(blocks) == len(document["blocks"]) <= 50
    for block in blocks:
        block.validate_json()
    assert document["blocks"][0]["type"] == "header"
    assert all(len(block.get("fields", [])) <= 10 for block in document["blocks"])


def test_a_subject_says_where_how_bad_and_what(renderer: Renderer) -> None:
    def subject(event: Event) -> str:
        return renderer.render("email", ["subject.txt"], telling(event))["subject.txt"]

    assert subject(sample("trust.deleted")) == "[prod] CRITICAL: Trust data of prod/app was deleted"
    assert (
        subject(sample("replica.unhealthy", Status.RESOLVED))
        == "[prod] RESOLVED: Replica f2277ad178f7 is healthy again"
    )
    assert subject(sample("store.failing")) == "[msr-relay] WARNING: The store cannot be written"


def mass(listed: int, more: int = 0, **details: object) -> Event:
    """A mass deletion of so many repositories with names as long as they may be."""
    event = sample("trust.mass_deletion")
    one = event.details["deletions"][0]
    deletions = [{**one, "repository": f"prod/{number:04}-" + "x" * 245} for number in range(listed)]
    found = {**event.details, "deletions": deletions, "more": more, "count": listed + more, **details}
    return replace(event, details=found)


@pytest.mark.parametrize(("listed", "more", "left"), [(20, 0, 0), (21, 0, 1), (1000, 1500, 2480)])
def test_a_mass_deletion_names_twenty_and_counts_the_rest(
    renderer: Renderer, listed: int, more: int, left: int
) -> None:
    texts = said(renderer, mass(listed, more))
    assert len(json.loads(texts.pop("webhook/json"))["data"]["details"]["deletions"]) == listed
    for place in ("slack/json", "email/txt", "email/html", "apprise/txt"):
        text = "".join(texts[place].split())
        assert all(f"prod/{number:04}-" in text for number in range(20)), place
        assert "prod/0020-" not in text, place
        assert (f"{left}more" in text) == bool(left), place
        assert ("`msr-relay alerts show`" in texts[place] or "alerts show</" in texts[place]) == bool(left)
    assert ("the first 1000" in texts["email/txt"]) == (more > 0)
    document = json.loads(renderer.render("slack", ["json"], telling(mass(listed, more)))["json"])
    for block in Block.parse_all(document["blocks"]):
        block.validate_json()
    assert len(json.dumps(document["blocks"], ensure_ascii=False)) < 12_000


def test_a_mass_deletion_of_a_namespace_says_which(renderer: Renderer) -> None:
    of = mass(3, per="namespace", scope="shop")
    ended = replace(of, status=Status.RESOLVED, ends_at=of.seen_at)
    text = renderer.render("email", ["txt"], telling(ended))["txt"]
    assert text.startswith("No further deletions in namespace shop of cluster prod after 3 of them")


@pytest.mark.parametrize("type_name", [name for name, kind in CATALOGUE.items() if kind.lasting])
def test_the_end_says_how_long_it_lasted(renderer: Renderer, type_name: str) -> None:
    texts = said(renderer, sample(type_name, Status.RESOLVED))
    del texts["webhook/json"], texts["email/subject.txt"], texts["apprise/title.txt"]
    assert all("9m" in text for text in texts.values())
    assert all("9m" not in text for text in said(renderer, sample("trust.deleted")).values())


def test_what_is_no_longer_watched_is_not_called_healthy(renderer: Renderer) -> None:
    ended = sample("replica.unhealthy", Status.RESOLVED)
    ended = replace(ended, details={**ended.details, "ended_because": "no longer watched"})
    texts = said(renderer, ended)
    for place, text in texts.items():
        assert "healthy again" not in text, place
        assert "no longer watched" in text, place
    assert "Nobody has seen that the trouble is over." in " ".join(texts["email/txt"].split())


LASTING = [name for name, kind in CATALOGUE.items() if kind.lasting]


@pytest.mark.parametrize("type_name", LASTING)
def test_what_flaps_says_how_often_and_that_it_is_quiet_now(renderer: Renderer, type_name: str) -> None:
    texts = said(renderer, flapping(type_name))
    webhook = json.loads(texts.pop("webhook/json"))
    assert webhook["data"]["flapping"] is True
    assert webhook["data"]["details"]["flaps"] == {"changes": 7, "within_seconds": 600.0}
    for place, text in texts.items():
        flat = " ".join(text.split())
        assert "(flapping: 7 changes within 10m; quiet until it settles)" in flat, place
    for place in ("slack/json", "email/txt", "email/html", "apprise/txt"):
        assert "gone or has held for 10m without a break" in " ".join(texts[place].split()), place


@pytest.mark.parametrize("seconds", [600.0, 0.0])
@pytest.mark.parametrize("type_name", LASTING)
def test_what_flaps_no_longer_says_that_it_stays(renderer: Renderer, type_name: str, seconds: float) -> None:
    texts = said(renderer, flapping(type_name, 0, seconds))
    assert "flapping" not in json.loads(texts.pop("webhook/json"))["data"]
    for place, text in texts.items():
        assert "(no longer flapping)" in " ".join(text.split()), place
    for place in ("slack/json", "email/txt", "email/html", "apprise/txt"):
        flat = " ".join(texts[place].split())
        assert ("for 10m without a break" in flat) == (seconds > 0), place
        assert "now it has held" in flat, place


def test_what_flaps_fits_where_everything_fits(renderer: Renderer) -> None:
    for event in (flapping(name, changes) for name in LASTING for changes in (7, 0)):
        document = json.loads(renderer.render("slack", ["json"], telling(event))["json"])
        for block in Block.parse_all(document["blocks"]):
            block.validate_json()
        for kind in ("email", "apprise"):
            text = renderer.render(kind, ["txt"], telling(event))["txt"]
            assert max(len(line) for line in text.splitlines()) <= 80
            assert "\n\n\n" not in text
        assert len(renderer.render("console", ["txt"], telling(event))["txt"].splitlines()) <= 8


def test_a_group_says_what_flaps(renderer: Renderer) -> None:
    texts = said(renderer, sample("cluster.issue"), flapping("replica.stale"))
    for place in ("slack/json", "email/txt", "email/html", "apprise/txt", "console/txt"):
        assert "(flapping: 7 changes within 10m" in " ".join(texts[place].split()), place


@pytest.mark.parametrize(
    ("healthy", "replicas", "words"),
    [
        (2, 3, "has quorum: 2 of 3 replicas are healthy and 2 are needed. Not one more may fail."),
        (4, 5, "has quorum: 4 of 5 replicas are healthy and 3 are needed. 1 more may fail."),
        (1, 3, "has lost quorum: 1 of 3 replicas are healthy and 2 are needed."),
        (1, 2, "has lost quorum: 1 of 2 replicas are healthy and 2 are needed."),
    ],
)
def test_quorum_is_counted(renderer: Renderer, healthy: int, replicas: int, words: str) -> None:
    event = sample("replica.unhealthy")
    event = replace(event, details={**event.details, "healthy": healthy, "replicas": replicas})
    text = " ".join(renderer.render("email", ["txt"], telling(event))["txt"].split())
    assert words in text
    assert ("emergency-repair" in text) == (healthy < replicas // 2 + 1)
    assert ("remove the unhealthy replica first" in text) == (healthy >= replicas // 2 + 1)


def words(renderer: Renderer, event: Event) -> str:
    return " ".join(renderer.render("email", ["txt"], telling(event))["txt"].split())


def quorum(type_name: str, status: Status = Status.FIRING, **details: object) -> Event:
    event = sample(type_name, status)
    return replace(event, details={**event.details, **details})


class TestQuorum:
    def test_at_risk_says_what_to_remove_before_what_is_joined(self, renderer: Renderer) -> None:
        one = words(renderer, quorum("quorum.at_risk"))
        assert "2 of 3 replicas are healthy and 2 are needed. Not one more may fail" in one
        assert "remove the unhealthy replica first, then join a new one" in one
        two = words(renderer, quorum("quorum.at_risk", replicas=5, healthy=3, needed=3))
        assert "remove the unhealthy replicas first, then join new ones" in two
        assert "emergency-repair" not in one + two

    def test_its_end_is_not_called_good_before_it_is_known_to_be(self, renderer: Renderer) -> None:
        text = words(renderer, quorum("quorum.at_risk", Status.RESOLVED))
        assert "or there are now too few: `quorum.lost`" in text
        assert "By what could be read." in words(renderer, quorum("quorum.lost", Status.RESOLVED))

    def test_lost_says_how_to_repair_and_by_whose_word(self, renderer: Renderer) -> None:
        text = words(renderer, quorum("quorum.lost"))
        assert "1 of 3 replicas is healthy and 2 are needed" in text
        assert "`msr db emergency-repair`" in text
        assert "Could not be read: msr-2.example.com, msr-3.example.com" in text

    def test_an_only_replica_is_not_repaired_from_another(self, renderer: Renderer) -> None:
        text = words(renderer, quorum("quorum.lost", replicas=1, healthy=0, needed=1, spare=-1))
        assert "the cluster's only replica" in text
        assert "emergency-repair" not in text

    @pytest.mark.parametrize("type_name", ["quorum.at_risk", "quorum.lost"])
    def test_a_missing_one_may_have_been_removed(self, renderer: Renderer, type_name: str) -> None:
        reason = "If it was removed on purpose"
        assert reason in words(renderer, quorum(type_name, missing=["c05e93a7d414"]))
        assert reason not in words(renderer, quorum(type_name, missing=[]))

    def test_internal_errors_everywhere_are_what_no_quorum_looks_like(self, renderer: Renderer) -> None:
        text = words(renderer, quorum("watch.failing", internal_errors=True))
        assert "that is what a cluster without quorum does" in text
        assert "`msr db emergency-repair`" in text
        before = sample("watch.failing")
        # As an older version wrote it into the store.
        old = {key: value for key, value in before.details.items() if key != "internal_errors"}
        for details in (before.details, old):
            assert "quorum" not in words(renderer, replace(before, details=details))


def test_a_split_brain_lists_who_says_what_and_what_is_left_out(renderer: Renderer) -> None:
    text = words(renderer, sample("cluster.split_brain"))
    said = "OK at msr-1.example.com, msr-3.example.com; Storage is not writable at msr-2.example.com"
    assert said in text
    assert " more" not in text.partition("What to do")[0]
    event = sample("cluster.split_brain")
    many = event.details["contradictions"] * 4
    text = words(renderer, replace(event, details={"contradictions": many, "more": 7}))
    assert "And: 11 more" in text


def test_links_are_there_only_with_a_public_url(renderer: Renderer) -> None:
    event = sample("cluster.issue")
    link = f"{PUBLIC}/events/{event.id}"
    without = said(Renderer([], clock=StillClock()), event)
    with_links = said(renderer, event)
    for place in ("slack/json", "email/txt", "email/html", "apprise/txt", "webhook/json"):
        assert link in with_links[place]
        assert "http" not in without[place].replace("msr-", ""), place


def test_times_are_in_the_configured_zone() -> None:
    renderer = Renderer([], clock=StillClock(), timezone=ZoneInfo("Europe/Berlin"))
    assert (
        "2026-11-23 21:58:11 CET"
        in renderer.render("email", ["txt"], telling(sample("trust.deleted")))["txt"]
    )


def test_text_stays_within_80_columns(renderer: Renderer) -> None:
    for event in EVENTS:
        for kind in ("email", "apprise"):
            text = renderer.render(kind, ["txt"], telling(event))["txt"]
            assert max(len(line) for line in text.splitlines()) <= 80, text
            assert "\n\n\n" not in text
            assert not any(line != line.rstrip() for line in text.splitlines())


def test_the_console_says_it_in_few_lines(renderer: Renderer) -> None:
    for event in EVENTS:
        lines = renderer.render("console", ["txt"], telling(event))["txt"].splitlines()
        assert 1 <= len(lines) <= 12
        assert all(line.startswith("    ") for line in lines[1:])


def test_a_group_lists_ten_and_counts_the_rest(renderer: Renderer) -> None:
    events = [sample(name) for name in CATALOGUE]
    texts = said(renderer, *events)
    for place, text in texts.items():
        if place in {"email/subject.txt", "apprise/title.txt"}:
            assert text == f"[prod] {len(CATALOGUE)} messages, the worst critical"
        elif place != "webhook/json":
            assert "Cluster prod cannot be read" in text
            assert "Test message from MSR Relay" not in text
            assert f"… and {len(CATALOGUE) - 10} more" in text
    document = json.loads(texts["slack/json"])
    assert len(Block.parse_all(document["blocks"])) == 13


def test_a_group_of_ten_says_of_no_more(renderer: Renderer) -> None:
    events = [sample(name) for name in list(CATALOGUE)[:10]]
    assert all(
        "more</td>" not in text and "and 0 more" not in text for text in said(renderer, *events).values()
    )


def test_a_group_says_what_is_over(renderer: Renderer) -> None:
    mixed = said(renderer, sample("cluster.issue"), sample("replica.stale", Status.RESOLVED))
    assert mixed["email/subject.txt"] == "[prod] 2 messages, 1 of them resolved, the worst critical"
    over = said(renderer, sample("cluster.issue", Status.RESOLVED), sample("replica.stale", Status.RESOLVED))
    assert over["email/subject.txt"] == "[prod] 2 messages, all resolved"


def test_both_ends_in_one_are_told_as_one_thing(renderer: Renderer) -> None:
    texts = said(renderer, sample("cluster.issue", Status.FIRING), sample("cluster.issue", Status.RESOLVED))
    assert texts["email/subject.txt"] == "[prod] RESOLVED: Issue table_availability is over"
    for place in ("slack/json", "email/txt", "email/html", "apprise/txt"):
        assert "began and ended before this could be delivered" in texts[place]


def test_an_unknown_type_is_still_told(renderer: Renderer) -> None:
    event = replace(sample("trust.deleted"), type="future.thing", details={"whatever": 1})
    for kind, part in PLACES:
        assert "Trust data of prod/app was deleted" in renderer.render(kind, [part], telling(event))[part]


def test_a_replay_says_so(renderer: Renderer) -> None:
    texts = said(renderer, sample("trust.deleted"), replay_of="dlv_0")
    for place in ("slack/json", "email/txt", "email/html", "webhook/json"):
        assert "dlv_0" in texts[place]


def test_severities_look_different(renderer: Renderer) -> None:
    texts = {
        severity: renderer.render(
            "slack", ["json"], telling(replace(sample("cluster.issue"), severity=severity))
        )["json"]
        for severity in Severity
    }
    starts = {json.loads(text)["text"].partition(" ")[0] for text in texts.values()}
    assert len(starts) == len(Severity)
