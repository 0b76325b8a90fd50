"""Messages about several things, repeats, escalations, who takes care, where to look."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from slack_sdk.models.blocks import Block

from relay.channels.block_kit import fit
from relay.channels.mail_message import HTML
from relay.model.delivery import Reason
from relay.model.event import Event, Status
from relay.model.samples import sample
from relay.model.severity import Severity
from relay.model.silence import Acknowledgement
from relay.render import Renderer, RuleAbout, Telling
from tests.render.helpers import NOW, PARTS, PUBLIC, StillClock, telling
from tests.render.test_hostile import ATTACKS, UNSAFE, structure, texts

READ = ("slack", "email")
LINK = "https://relay.example.com/acknowledge/"


def link(thread: str) -> str:
    return LINK + thread


def said(renderer: Renderer, told: Telling) -> dict[str, str]:
    found = {}
    for kind, parts in PARTS.items():
        for part, text in renderer.render(kind, parts, told).items():
            found[f"{kind}/{part}"] = (
                json.dumps(json.loads(text), ensure_ascii=False) if part == "json" else text
            )
    return found


def subject(renderer: Renderer, told: Telling) -> str:
    return renderer.render("email", ["subject.txt"], told)["subject.txt"]


def many(event: Event, count: int) -> list[Event]:
    return [
        replace(
            event,
            id=f"{event.id}{number}",
            alert=event.alert and f"{event.alert}{number}",
            summary=f"{event.summary} {number}.",
            happened_at=event.happened_at + timedelta(seconds=number),
        )
        for number in range(count)
    ]


def aged(event: Event, age: timedelta) -> Event:
    return replace(event, starts_at=event.starts_at and NOW - age, seen_at=NOW - age)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "[prod] 12 × trust.deleted"),
        ({"group": {"cluster": "prod", "type": "trust.deleted"}}, "[prod] 12 × trust.deleted"),
        (
            {"group": {"namespace": "dev", "labels.team": "a"}},
            "[prod] 12 × trust.deleted, namespace dev, team a",
        ),
        (
            {"group": {"subject": "repository dev/app", "replica": ""}},
            "[prod] 12 × trust.deleted, repository dev/app",
        ),
        ({"parts": 3, "part": 2}, "[prod] 12 × trust.deleted (part 2 of 3)"),
        ({"reason": Reason.REPEAT}, "[prod] 12 × trust.deleted still firing"),
        ({"reason": Reason.DIGEST}, "[prod] Told late: 12 × trust.deleted"),
        # What is only counted may be of any type, unless the group says that it is not.
        ({"more": 30}, "[prod] 42 messages, the worst critical"),
        ({"more": 30, "group": {"type": "trust.deleted"}}, "[prod] 42 × trust.deleted"),
    ],
)
def test_the_headline_says_what_they_are_and_have_in_common(
    renderer: Renderer, options: dict[str, object], words: str
) -> None:
    assert subject(renderer, telling(*many(sample("trust.deleted"), 12), **options)) == words


def test_what_is_over_is_said_and_comes_last(renderer: Renderer) -> None:
    old = sample("cluster.issue", Status.RESOLVED)
    mild = replace(sample("ping.failing"), severity=Severity.INFO)
    told = telling(old, mild, sample("replica.stale"))
    assert [entry.event.type for entry in told.entries] == ["replica.stale", "ping.failing", "cluster.issue"]
    assert told.event.type == "replica.stale"
    assert subject(renderer, told) == "[prod] 3 messages, 1 of them resolved, the worst warning"
    over = telling(*many(sample("replica.stale", Status.RESOLVED), 2))
    assert subject(renderer, over) == "[prod] 2 × replica.stale, all resolved"


def test_of_equals_the_earlier_comes_first() -> None:
    first, second, third = many(sample("trust.deleted"), 3)
    assert [entry.event for entry in telling(third, first, second).entries] == [first, second, third]


def test_what_began_and_ended_is_one_entry(renderer: Renderer) -> None:
    begin, end = sample("cluster.issue"), sample("cluster.issue", Status.RESOLVED)
    told = telling(begin, end, sample("replica.stale"))
    assert told.count == 2
    for place, text in said(renderer, told).items():
        if place in {"email/subject.txt", "apprise/title.txt"}:
            assert text == "[prod] 2 messages, 1 of them resolved, the worst warning"
        elif place != "webhook/json":
            assert text.count("began and ended before this could be delivered") == 1, place
            assert "is over" in text
    items = json.loads(renderer.render("webhook", ["json"], told)["json"])["data"]["items"]
    assert [item["data"]["status"] for item in items] == ["firing", "resolved", "firing"]


def test_a_rule_says_how_many_are_listed(renderer: Renderer) -> None:
    told = telling(*many(sample("trust.deleted"), 8), rule_about=RuleAbout(most=3), more=4)
    for place, text in said(renderer, told).items():
        if place not in {"email/subject.txt", "apprise/title.txt", "webhook/json"}:
            assert "deleted 2." in text, place
            assert "deleted 3." not in text, place
            assert "… and 9 more" in text, place
            assert place == "console/txt" or f"{PUBLIC}/alerts" in text, place
            assert "/alerts" not in said(Renderer([], clock=StillClock()), told)[place]


def test_a_repeat_says_since_when(renderer: Renderer) -> None:
    event = aged(sample("cluster.issue"), timedelta(hours=8, seconds=4))
    texts_ = said(renderer, telling(event, reason=Reason.REPEAT))
    assert texts_["email/subject.txt"].startswith("[prod] CRITICAL, still firing, 8h: ")
    assert "CRITICAL · still firing, 8h · prod" in texts_["email/txt"]
    assert "*CRITICAL* · still firing, 8h · prod" in texts_["slack/json"]
    assert "still firing, 8h" in texts_["console/txt"]
    assert "still firing" not in said(renderer, telling(event))["email/txt"]


def test_an_escalation_says_why(renderer: Renderer) -> None:
    event = aged(sample("trust.deleted"), timedelta(minutes=15, seconds=3))
    texts_ = said(renderer, telling(event, reason=Reason.ESCALATION))
    assert texts_["email/subject.txt"].startswith("[prod] CRITICAL, escalated: ")
    for place in ("slack/json", "email/txt", "email/html", "apprise/txt", "console/txt"):
        assert "Escalated: nobody has acknowledged this for 15m." in texts_[place], place


@pytest.mark.parametrize(("note", "words"), [("on it", "alice (on it)"), ("", "alice")])
def test_who_takes_care_is_shown(renderer: Renderer, note: str, words: str) -> None:
    known = Acknowledgement("alr_1", "alice", NOW, note)
    texts_ = said(renderer, telling(sample("cluster.issue"), acknowledged=known))
    for place in ("slack/json", "email/txt", "email/html", "apprise/txt", "console/txt"):
        assert f"Acknowledged by {words}." in texts_[place], place


def test_the_link_that_acknowledges_is_where_people_read(renderer: Renderer) -> None:
    event = sample("cluster.issue")
    one = said(renderer, telling(event, acknowledge_url=link))
    assert f"<{LINK}{event.alert}|Acknowledge>" in one["slack/json"]
    assert f"Acknowledge: {LINK}{event.alert}" in one["email/txt"]
    assert f"{LINK}{event.alert}" in structure(one["email/html"]).hrefs
    for place in ("console/txt", "webhook/json"):
        assert LINK not in one[place]
    group = said(
        renderer, telling(*many(event, 3), sample("ping.failing", Status.RESOLVED), acknowledge_url=link)
    )
    assert group["slack/json"].count("|Acknowledge>") == 3
    assert group["email/txt"].count("Acknowledge: ") == 3
    over = said(renderer, telling(sample("cluster.issue", Status.RESOLVED), acknowledge_url=link))
    assert all(LINK not in text for text in over.values())


def test_the_runbook_is_a_link(renderer: Renderer) -> None:
    book = "https://wiki.example.com/msr?a=1&b=2"
    event = replace(sample("cluster.issue"), annotations={"runbook_url": book})
    for told in (telling(event), telling(*many(event, 2))):
        texts_ = said(renderer, told)
        assert f"<{book.replace('&', '&amp;')}|Runbook>" in texts_["slack/json"]
        assert f"Runbook: {book}" in texts_["email/txt"]
        assert book in structure(texts_["email/html"]).hrefs
    mixed = said(renderer, telling(event, sample("replica.stale")))
    assert "Runbook" not in mixed["email/txt"]
    theirs = telling(
        event, sample("replica.stale"), rule_about=RuleAbout(runbook_url="https://rule.example/")
    )
    assert "Runbook: https://rule.example/" in said(renderer, theirs)["email/txt"]


@pytest.mark.parametrize("attack", [*ATTACKS, "plain"])
@pytest.mark.parametrize("most", [10, 100])
def test_a_thousand_hostile_names_stay_within_the_limits(renderer: Renderer, attack: str, most: int) -> None:
    text = ATTACKS.get(attack, "app")
    event = replace(sample("trust.deleted"), cluster=text, summary=text)
    told = telling(
        *many(event, 1000),
        rule_about=RuleAbout(most=most),
        group={"cluster": text, "labels.x": text, "labels." + text: text},
        reason=Reason.GROUP,
        acknowledge_url=link,
        more=500,
        part=2,
        parts=3,
    )
    for kind in READ:
        for part, whole in renderer.render(kind, PARTS[kind], told).items():
            assert not UNSAFE.search(whole)
            assert len(whole) <= HTML, part
    document = json.loads(renderer.render("slack", ["json"], told)["json"])
    assert "(cut)" not in json.dumps(fit(document))
    assert len(Block.parse_all(document["blocks"])) == len(document["blocks"]) <= 50
    assert all(len(piece) <= 3000 for piece in texts(document))
    shown = sum("*CRITICAL*" in str(block) for block in document["blocks"])
    assert 1 <= shown <= most
    assert f"… and {1500 - shown} more" in json.dumps(document, ensure_ascii=False)
    html = structure(renderer.render("email", ["html"], told)["html"])
    plain = [replace(each, cluster="prod", summary="app") for each in told.events]
    assert (
        html.tags
        == structure(renderer.render("email", ["html"], replace(told, events=tuple(plain)))["html"]).tags
    )
