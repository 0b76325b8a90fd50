"""The playground and the rule tester: what they show, to whom, and under which policy."""

import json
import re

import pytest

from relay.engine.routing import Router
from relay.model.access import Scope
from relay.render import Pages
from relay.server import Running, assets
from relay.server.pages.given import given_by
from relay.server.pages.mail_frames import MOST, POLICY, SECONDS
from relay.settings import Settings
from tests.server.conftest import EVENT, TOKEN, Site
from tests.server.people import bearer, token
from tests.server.test_trying import CHANNELS, SECRET, TOKEN_OF_HOOK
from tests.store import things

ALL = bearer(TOKEN)
FRAME = re.compile(r'<iframe[^>]* src="(?P<path>[^"]+)"')
ERROR = "{{ event.tipe }}"


@pytest.fixture
def site(site: Site) -> Site:
    mail = {
        "name": "oncall",
        "kind": "email",
        "smtp": {"host": "m"},
        "from": "r@example.com",
        "to": "a@example.com",
    }
    site.settings = Settings.model_validate(
        {"channels": [*CHANNELS, mail], "clusters": [{"name": "prod", "url": "https://msr.example.com"}]}
    )
    router = Router(site.settings.effective_rules, site.settings.channel_names, lambda _: lambda _event: True)
    site.running = Running(things.NOW, router)
    site.pages = Pages(clock=site.clock, asset=assets().url)
    return site


async def get(site: Site, path: str, headers: dict[str, str] = ALL) -> tuple[int, str]:
    return await site.get(path, headers=headers)


async def post(site: Site, path: str, headers: dict[str, str] = ALL, **fields: str) -> tuple[int, str]:
    return await site.get(path, "POST", headers=headers, data=fields)


def pane(page: str) -> str:
    """What a page shows of a preview."""
    found: str = page[page.index('<section id="preview"') :]
    return found[: found.index("</section>")]


async def test_a_saved_template_is_shown_with_its_text(site: Site) -> None:
    status, page = await get(site, "/playground?to=slack&type=trust.deleted")
    assert status == 200
    assert "slack-header" in pane(page)
    assert "from slack/default.json.j2" in page
    assert "Block Kit. Values are escaped" in page


async def test_what_is_typed_is_shown_escaped(site: Site) -> None:
    typed = json.dumps({"text": "*bold* <script>alert(1)</script> &lt;b&gt;"})
    status, page = await post(site, "/playground", **{"to": "slack", "part.json": typed})
    assert status == 200
    assert "<b>bold</b>" in pane(page)
    assert "<script>" not in pane(page)
    assert "script" in pane(page)


async def test_the_text_that_was_typed_stays(site: Site) -> None:
    given = {"to": "console", "part.txt": "</textarea><b>{{ event.type }}\r\nnext"}
    _, page = await post(site, "/playground", **given)
    assert "&lt;/textarea&gt;&lt;b&gt;{{ event.type }}\nnext</textarea>" in page
    assert "&lt;/textarea&gt;&lt;b&gt;trust.deleted\nnext" in pane(page)


async def test_an_error_has_its_line_and_what_was_meant(site: Site) -> None:
    status, page = await post(site, "/playground", **{"to": "console", "part.txt": f"\n{ERROR}"})
    assert status == 200
    assert "line 2" in pane(page)
    assert "did you mean &#39;type&#39;?" in pane(page)


async def test_an_unknown_kind_keeps_the_page(site: Site) -> None:
    typed = {"to": "slak", "part.json": "{}"}
    status, page = await post(site, "/playground", **typed)
    assert (status, "did you mean slack?" in pane(page)) == (422, True)
    status, _ = await post(site, "/playground", {**ALL, "HX-Request": "true"}, **typed)
    assert status == 200


@pytest.mark.parametrize("event", ["{", "[]", '{"type": 5}', '{"type": "trust.deleted", "what": 1}'])
async def test_what_is_pasted_and_is_no_event(site: Site, event: str) -> None:
    for path, more in (("/playground", {"to": "console", "part.txt": "x"}), ("/rules", {})):
        status, page = await post(site, path, event=event, **more)
        assert (status, 'role="alert"' in pane(page)) == (422, True)


@pytest.mark.parametrize(
    ("value", "why"),
    [("NaN", "it has NaN"), ("1e999", "out of range"), ("[" * 40 + "]" * 40, "more than 32 deep")],
)
async def test_what_no_json_may_hold_is_not_taken(site: Site, value: str, why: str) -> None:
    event = f'{{"type": "trust.deleted", "details": {{"x": {value}}}}}'
    for path, more in (("/playground", {"to": "console", "part.txt": "x"}), ("/rules", {})):
        status, page = await post(site, path, event=event, **more)
        assert (status, why in pane(page)) == (422, True)


def test_what_cannot_be_kept_is_cleaned() -> None:
    given = given_by({"event": r'{"type": "a\ud800", "details": {"\u0000": ["\udfff", "\ud83d\ude00"]}}'})
    assert given.document == {"type": "a\ufffd", "details": {"\ufffd": ["\ufffd", "\U0001f600"]}}


async def test_who_only_reads_may_look_at_what_is_saved_and_not_try(site: Site) -> None:
    reader = bearer(await token(site, "ann", Scope.READ))
    status, page = await get(site, "/playground?to=slack", reader)
    assert (status, "part.json" in page) == (200, False)
    status, _ = await post(site, "/playground", reader, **{"to": "console", "part.txt": "x"})
    assert status == 403
    status, page = await post(site, "/rules", reader, type="trust.deleted")
    assert (status, "It goes to <strong>soc</strong>." in pane(page)) == (200, True)


async def test_a_webhooks_headers_and_no_secret(site: Site) -> None:
    _, page = await get(site, "/playground?to=channel:soc&type=trust.deleted")
    assert "(computed when it is sent)" in pane(page)
    assert not any(each in page for each in (SECRET, TOKEN_OF_HOOK, "t0ken-in-the-path"))


async def test_a_body_does_not_grow_on_its_way_to_the_page(site: Site) -> None:
    deep = "{{ '[' * 300 }}{{ '0,' * 20000 }}0{{ ']' * 300 }}"
    status, page = await post(site, "/playground", **{"to": "webhook", "part.json": deep})
    assert status == 200
    assert "40601 bytes of 20000" in pane(page)
    assert len(page) < 200_000


class TestMail:
    async def shown(self, site: Site, headers: dict[str, str] = ALL) -> str:
        _, page = await get(site, "/playground?to=channel:oncall&type=trust.deleted", headers)
        found = FRAME.search(pane(page))
        assert found is not None
        return found["path"]

    async def fetched(self, site: Site, path: str, headers: dict[str, str] = ALL) -> tuple[int, str, str]:
        async with site.session.get(path, headers=headers) as answer:
            return answer.status, answer.headers["Content-Security-Policy"], await answer.text()

    async def test_it_has_an_address_and_a_policy_of_its_own(self, site: Site) -> None:
        status, policy, mail = await self.fetched(site, await self.shown(site))
        assert (status, policy) == (200, POLICY)
        assert "Trust data of prod/app was deleted" in mail
        assert "frame-src 'self'" in site.pages.policy

    async def test_nobody_else_sees_it_and_not_for_ever(self, site: Site) -> None:
        other = bearer(await token(site, "bob", Scope.ADMIN))
        path = await self.shown(site)
        assert (await self.fetched(site, path, other))[0] == 404
        await site.clock.advance(SECONDS)
        assert (await self.fetched(site, path))[0] == 200
        await site.clock.advance(1)
        assert (await self.fetched(site, path))[0] == 404

    async def test_only_so_many_are_kept(self, site: Site) -> None:
        first = await self.shown(site)
        second = await self.shown(site)
        for _ in range(MOST - 1):
            await self.shown(site)
        assert (await self.fetched(site, first))[0] == 404
        assert (await self.fetched(site, second))[0] == 200


class TestRules:
    async def test_they_are_listed(self, site: Site) -> None:
        status, page = await get(site, "/rules")
        assert status == 200
        assert "No rules are written; this is what holds without any." in page
        assert "Choose or paste an event" in pane(page)

    async def test_an_event_of_the_relay_by_its_id(self, site: Site) -> None:
        _, page = await get(site, f"/rules?id={EVENT}")
        assert "It goes to" in pane(page)
        status, page = await get(site, "/rules?id=evt_none")
        assert (status, "there is no event evt_none" in pane(page)) == (422, True)

    async def test_why_not(self, site: Site) -> None:
        pasted = '{"type": "cluster.issue", "status": "firing", "severity": "info"}'
        _, page = await post(site, "/rules", event=pasted)
        assert "Nobody gets it." in pane(page)
        assert "severity" in pane(page)
