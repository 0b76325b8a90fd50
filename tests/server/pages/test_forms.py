"""What the forms of the pages do: as the API does, with who did it; nothing without their token."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from relay.channels.webhook import Webhook
from relay.engine.matching import Matcher
from relay.engine.rules import Match
from relay.engine.sending import Sender
from relay.http import Http
from relay.model.access import Scope
from relay.model.delivery import ChannelState, DeliveryState
from relay.model.event import Subject, SubjectKind
from relay.render import Renderer
from relay.server.pages.silences import prefilled
from relay.store import DeedQuery, DeliveryQuery
from tests.real.webhooks import Answer, Receiver
from tests.server.conftest import ALERT, EVENT, Site
from tests.server.pages.filled import fill
from tests.server.people import FORM, LoggedIn, log_in, token
from tests.store import things


@pytest.fixture
async def full(site: Site) -> Site:
    await fill(site)
    return site


async def ann(site: Site, scope: Scope = Scope.OPERATE) -> LoggedIn:
    return await log_in(site, await token(site, "ann", scope))


async def send(site: Site, who: LoggedIn, path: str, **fields: str) -> tuple[int, str, str]:
    """Send a form with its token; return the status, where it leads, and the page."""
    said = {"csrf": who.form_token, **fields}
    async with site.session.post(path, data=said, headers=who.reading, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", ""), await answer.text()


async def last_deed(site: Site) -> tuple[str, str, str]:
    deed = (await site.store.views.deeds(DeedQuery(limit=1))).rows[0]
    return deed.who, deed.action, deed.subject


class TestAlerts:
    async def test_acknowledge_and_back(self, site: Site) -> None:
        who = await ann(site)
        said = {"until": "1h", "note": " on it "}
        assert (await send(site, who, f"/alerts/{ALERT}/acknowledge", **said))[:2] == (
            303,
            f"/alerts/{ALERT}",
        )
        found = await site.acknowledged()
        assert found is not None
        assert (found.by, found.note, found.via) == ("ann", "on it", "page")
        assert found.until is not None
        assert (found.until - found.at).total_seconds() == 3600
        assert await last_deed(site) == ("ann", "acknowledge", ALERT)
        assert (await send(site, who, f"/alerts/{ALERT}/unacknowledge"))[0] == 303
        assert await site.acknowledged() is None

    async def test_a_one_off_event_too(self, site: Site) -> None:
        who = await ann(site)
        status, place, _ = await send(site, who, f"/alerts/{EVENT}/acknowledge", until="")
        assert (status, place) == (303, f"/events/{EVENT}")
        assert await site.acknowledged(EVENT) is not None

    async def test_what_is_over_is_told(self, full: Site) -> None:
        status, _, page = await send(full, await ann(full), "/alerts/alr_over/acknowledge", until="")
        assert status == 422
        assert "that ended at" in page

    async def test_another_time_than_the_form_offers_is_told(self, site: Site) -> None:
        status, _, page = await send(site, await ann(site), f"/alerts/{ALERT}/acknowledge", until="9y")
        assert status == 422
        assert "Choose one of the times" in page
        assert await site.acknowledged() is None


class TestSilences:
    async def test_make_one_and_end_it(self, site: Site) -> None:
        who = await ann(site)
        said = {"type": "trust.*, !trust.updated", "cluster": "prod", "length": "4h", "comment": "upgrade"}
        said |= {"severity": "<= warning", "labels": "team=a, team=b"}
        assert (await send(site, who, "/silences", **said))[:2] == (303, "/silences?done=made")
        [made] = await site.store.silences(site.clock.now())
        assert made.matchers == {
            "type": ["trust.*", "!trust.updated"],
            "cluster": ["prod"],
            "severity": "<= warning",
            "labels": {"team": ["a", "b"]},
        }
        assert (made.author, made.comment) == ("ann", "upgrade")
        assert (made.ends_at - made.starts_at).total_seconds() == 4 * 3600
        site.clock.jump(60)
        assert (await send(site, who, f"/silences/{made.id}/expire"))[0] == 303
        [ended] = await site.store.silences(made.created_at)
        assert ended.ends_at == site.clock.now()
        assert await last_deed(site) == ("ann", "expire", made.id)

    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            ({"type": ""}, "has to match something"),
            ({"type": "trust.delted"}, "did you mean trust.deleted"),
            ({"length": "9y"}, "choose for how long"),
            ({"comment": " "}, "say what it is for"),
            ({"labels": "team"}, "team is no label"),
            ({"severity": "awful"}, "awful"),
        ],
    )
    async def test_what_is_wrong_is_said_and_what_was_typed_stays(
        self, site: Site, changed: dict[str, str], words: str
    ) -> None:
        said = {"type": "trust.deleted", "length": "1h", "comment": "an <upgrade>", **changed}
        status, _, page = await send(site, await ann(site), "/silences", **said)
        assert status == 422
        assert words in page
        assert 'role="alert"' in page
        assert changed.get("comment") or 'value="an &lt;upgrade&gt;"' in page
        assert await site.store.silences(site.clock.now()) == []

    async def test_the_form_of_an_alert_is_filled_in_for_it(self, full: Site) -> None:
        who = await ann(full)
        _, page = await full.get("/alerts/alr_strange", headers=who.reading)
        assert re.search(r'name="type" value="trust\.invalid"', page)
        # What stands for something in a glob stands for itself.
        one = Subject(SubjectKind.REPOSITORY, "prod/a*p[1]")
        found = prefilled(things.alert("alr_1", type="trust.invalid", cluster="a?b", subject=one))
        assert found == {"type": "trust.invalid", "cluster": "a[?]b", "repository": "prod/a[*]p[[]1]"}
        match = Matcher(Match.model_validate({name: [value] for name, value in found.items()}))
        assert match.takes(things.alert("alr_2", type="trust.invalid", cluster="a?b", subject=one))
        other = Subject(SubjectKind.REPOSITORY, "prod/aXp1")
        assert not match.takes(things.alert("alr_3", type="trust.invalid", cluster="a?b", subject=other))


class TestDeliveries:
    async def test_replay_one(self, full: Site) -> None:
        status, place, _ = await send(full, await ann(full), "/deliveries/dlv_dead/replay")
        assert status == 303
        made = place.partition("?")[0].removeprefix("/deliveries/")
        found = await full.store.views.delivery(made)
        assert found is not None
        assert found.delivery.replay_of == "dlv_dead"
        assert (await last_deed(full))[:2] == ("ann", "replay")

    async def test_replay_those_that_are_ticked(self, full: Site) -> None:
        ticked = {"delivery.dlv_dead": "1", "delivery.dlv_partial": "1"}
        status, place, _ = await send(full, await ann(full), "/deliveries/replay", **ticked)
        assert (status, place) == (303, "/deliveries?done=replayed&count=2")
        page = await full.store.views.deliveries(DeliveryQuery(replay_of="dlv_partial"))
        assert len(page.rows) == 1

    async def test_nothing_ticked_is_told(self, full: Site) -> None:
        status, _, page = await send(full, await ann(full), "/deliveries/replay")
        assert status == 422
        assert "Tick those" in page

    async def test_replay_all_dead_of_a_channel(self, full: Site) -> None:
        path = f"/channels/{quote('on/call', safe='')}"
        status, place, _ = await send(full, await ann(full), path + "/replay-dead")
        assert (status, place) == (303, path + "?done=replayed&count=1")
        page = await full.store.views.deliveries(DeliveryQuery(replay_of="dlv_dead"))
        assert [each.state for each in page.rows] == [DeliveryState.PENDING]


class TestChannels:
    async def test_disable_with_a_reason_and_enable(self, full: Site) -> None:
        who = await ann(full)
        assert (await send(full, who, "/channels/soc/disable", reason="moved"))[0] == 303
        health = (await full.store.healths())["soc"]
        assert (health.state, health.reason, health.by) == (ChannelState.DISABLED, "moved", "ann")
        _, page = await full.get("/channels/soc?done=disabled", headers=who.reading)
        assert "moved" in page
        assert "The channel is disabled" in page
        assert (await send(full, who, "/channels/soc/enable"))[0] == 303
        assert (await full.store.healths())["soc"].state is ChannelState.WORKING

    @pytest.mark.parametrize(("answer", "said"), [(200, "It arrived"), (410, "It did not arrive")])
    async def test_send_a_test(self, full: Site, webhooks: Receiver, answer: int, said: str) -> None:
        webhooks.default = Answer(answer, b"<b>answer</b>")
        channel = Webhook(kind="webhook", name="soc", url=webhooks.url + "/soc", allow_private=True)
        http = Http(full.clock)
        sender = Sender(channel, Renderer([], clock=full.clock), http, full.clock)
        full.running = replace(full.running, senders=[sender])
        status, _, page = await send(full, await ann(full), "/channels/soc/test")
        await http.close()
        assert status == 200
        assert said in page
        assert "<b>answer" not in page
        assert f"status {answer}" in page
        assert await last_deed(full) == ("ann", "test", "soc")
        assert b"relay.test" in webhooks.requests[0].body

    @pytest.mark.parametrize("what", ["disable", "enable", "test", "replay-dead"])
    async def test_one_that_there_is_not_is_told(self, full: Site, what: str) -> None:
        status, _, page = await send(full, await ann(full), f"/channels/none/{what}", reason="x")
        assert status == 404
        assert "There is no channel none" in page


FORMS: list[tuple[str, dict[str, Any]]] = [
    (f"/alerts/{ALERT}/acknowledge", {"until": ""}),
    (f"/alerts/{ALERT}/unacknowledge", {}),
    ("/silences", {"type": "*", "length": "1h", "comment": "x"}),
    ("/silences/sil_1/expire", {}),
    ("/deliveries/dlv_dead/replay", {}),
    ("/deliveries/replay", {"delivery.dlv_dead": "1"}),
    ("/channels/soc/test", {}),
    ("/channels/soc/disable", {"reason": "x"}),
    ("/channels/soc/enable", {}),
    ("/channels/soc/replay-dead", {}),
]


async def test_who_may_only_look_changes_nothing(full: Site) -> None:
    who = await ann(full, Scope.READ)
    before = await last_deed(full)
    for path, fields in FORMS:
        status, _, page = await send(full, who, path, **fields)
        assert (path, status) == (path, 403)
        assert "needs the scope operate" in page
    assert await last_deed(full) == before


async def test_nothing_is_done_without_the_token_of_the_form(full: Site) -> None:
    who = await ann(full)
    before = await last_deed(full)
    for path, fields in FORMS:
        for csrf in ("", "x"):
            said = {"csrf": csrf, **fields}
            async with full.session.post(path, data=said, headers={**who.reading, **FORM}) as answer:
                assert (path, answer.status) == (path, 403)
        async with full.session.post(path, data=fields, allow_redirects=False) as answer:
            assert (path, answer.status) in ((path, 401), (path, 403))
    assert await last_deed(full) == before


async def test_what_was_done_is_one_of_fixed_texts(full: Site) -> None:
    who = await ann(full)
    for query in ("done=<x>", "done=replayed&count=<script>alert(1)</script>"):
        _, page = await full.get(f"/deliveries?{query}", headers=who.reading)
        assert "<x>" not in page
        assert "<script>alert" not in page
