"""Logging in by pasting a token, what the session may do, and logging out."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from relay.engine.tokens import Tokens
from relay.model.access import Scope
from relay.server.login import own_path
from tests.server.conftest import ALERT, TOKEN, Site
from tests.server.people import FORM, LoggedIn, acknowledge, configure, log_in, secret_of, status, token

OTHER_SITE: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
WRONG = "This token does not let you in."


async def deeds(site: Site) -> list[tuple[str, str]]:
    return [(deed["who"], deed["action"]) for deed in await site.store.list_deeds()]


async def attempt(site: Site, secret: str, **fields: str) -> tuple[int, str, str]:
    """Send the form; return the status, where it leads, and the page."""
    body = {"token": secret, **fields}
    async with site.session.post("/login", data=body, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", ""), await answer.text()


async def log_out(site: Site, who: LoggedIn, **headers: str) -> int:
    given = {**who.reading, **FORM, **headers}
    async with site.session.post(
        "/logout", data=f"csrf={who.form_token}", headers=given, allow_redirects=False
    ) as answer:
        if answer.status == 303:
            assert 'msr_relay_session=""' in answer.headers["Set-Cookie"]
        return answer.status


class TestLoggingIn:
    async def test_the_session_stands_for_the_token(self, site: Site) -> None:
        ann = await log_in(site, await token(site, "ann"))
        assert await status(site, ann.reading) == 200
        found, said = await acknowledge(site, ann.writing, ALERT)
        assert (found, '"by": "ann"' in said or '"by":"ann"' in said) == (200, True)
        assert await deeds(site) == [("ann", "acknowledge"), ("ann", "login"), ("root", "create-token")]

    async def test_what_was_pasted_may_have_blanks_around_it(self, site: Site) -> None:
        secret = await token(site, "ann")
        assert (await attempt(site, f" {secret}\r\n"))[:2] == (303, "/")

    async def test_the_token_of_the_settings_does_too(self, site: Site) -> None:
        someone = await log_in(site, TOKEN)
        assert TOKEN not in someone.cookie
        assert (await acknowledge(site, someone.writing, ALERT))[0] == 200
        assert (await deeds(site))[0] == ("server.api_token", "acknowledge")
        configure(site, api_token="another-for-programs")
        site.api_token = site.settings.server.api_token
        assert await status(site, someone.reading) == 401

    async def test_every_failure_says_the_same(self, site: Site) -> None:
        expired = await token(site, "old", expires_at=site.clock.now() + timedelta(hours=1))
        revoked = await token(site, "gone")
        await Tokens(site.store, site.clock, site.source).revoke("gone", "root")
        site.clock.jump(3600)
        found = [await attempt(site, each) for each in (expired, revoked, "msr_wrong", "", "ä" * 9)]
        assert {each[0] for each in found} == {401}
        [page] = {each[2] for each in found}
        assert WRONG in page
        assert "msr_wrong" not in page
        assert ("old", "login") not in await deeds(site)

    async def test_guessing_is_limited_and_locks_nobody_out(self, site: Site) -> None:
        secret = await token(site, "ann")
        assert (await attempt(site, secret))[0] == 303
        found = [(await attempt(site, f"msr_{each}"))[0] for each in range(31)]
        assert found == [401] * 30 + [429]
        assert (await attempt(site, secret))[0] == 303
        await site.clock.advance(60)
        assert (await attempt(site, "msr_wrong"))[0] == 401

    @pytest.mark.parametrize("headers", OTHER_SITE)
    async def test_another_site_s_form_is_refused(self, site: Site, headers: dict[str, str]) -> None:
        secret = await token(site, "ann")
        async with site.session.post("/login", data={"token": secret}, headers=headers) as answer:
            assert (answer.status, "Set-Cookie" in answer.headers) == (403, False)

    async def test_no_secret_gets_into_the_log(self, site: Site) -> None:
        with capture_logs() as logs:
            await attempt(site, "msr_wrong-but-secret")
            await site.get("/login?token=msr_wrong-but-secret")
            async with site.session.post(
                "/login", data=b"\xff\xff=msr_wrong-but-secret", headers=FORM
            ) as answer:
                assert answer.status == 400
        assert [each["event"] for each in logs] == ["a token was refused"]
        assert "wrong-but-secret" not in str(logs)

    async def test_whose_token_is_over_is_in_the_log(self, site: Site) -> None:
        secret = await token(site, "ann", expires_at=site.clock.now() + timedelta(hours=1))
        with capture_logs() as logs:
            await log_in(site, secret)
            site.clock.jump(3600)
            assert (await attempt(site, secret))[0] == 401
        assert [(each["event"], each.get("who") or each.get("name")) for each in logs] == [
            ("logged in", "ann"), ("a token was refused", "ann"),
        ]  # fmt: skip
        assert secret not in str(logs)

    async def test_the_page_needs_no_script_and_keeps_where_to_go(self, site: Site) -> None:
        found, page = await site.get("/login?next=/alerts%3Fcluster%3Da%26x%3D%22")
        assert found == 200
        assert "<script" not in page
        assert 'name="next" value="/"' in page
        _, page = await site.get("/login?next=/alerts%3Fcluster%3Da%26x%3D1")
        assert 'name="next" value="/alerts?cluster=a&amp;x=1"' in page
        assert 'type="password"' in page


class TestTheCookie:
    @pytest.mark.parametrize(
        ("server", "headers", "secure"),
        [
            ({}, {}, False),
            ({"public_url": "https://relay.example.com"}, {}, True),
            ({"public_url": "http://relay.example.com"}, {}, False),
            ({"trusted_proxy": {"addresses": ["127.0.0.1"]}}, {"X-Forwarded-Proto": "https"}, True),
            ({"trusted_proxy": {"addresses": ["10.0.0.1"]}}, {"X-Forwarded-Proto": "https"}, False),
            ({}, {"X-Forwarded-Proto": "https"}, False),
        ],
    )
    async def test_what_browsers_are_told_of_it(
        self, site: Site, server: dict[str, Any], headers: dict[str, str], secure: bool
    ) -> None:
        configure(site, session_expires="2h", **server)
        secret = await token(site, "ann")
        async with site.session.post(
            "/login", data={"token": secret}, headers=headers, allow_redirects=False
        ) as answer:
            flags = {each.strip() for each in answer.headers["Set-Cookie"].split(";")[1:]}
        assert flags - {"Secure"} == {"HttpOnly", "Max-Age=7200", "Path=/", "SameSite=Lax"}
        assert ("Secure" in flags) == secure

    async def test_it_ends_after_the_time_of_the_settings(self, site: Site) -> None:
        configure(site, session_expires="2h")
        ann = await log_in(site, await token(site, "ann"))
        site.clock.jump(7199)
        assert await status(site, ann.reading) == 200
        site.clock.jump(2)
        assert await status(site, ann.reading) == 401

    async def test_a_token_that_is_over_ends_its_sessions_at_once(self, site: Site) -> None:
        ann = await log_in(site, await token(site, "ann"))
        bob = await log_in(site, await token(site, "bob", expires_at=site.clock.now() + timedelta(hours=1)))
        assert [await status(site, each.reading) for each in (ann, bob)] == [200, 200]
        await Tokens(site.store, site.clock, site.source).revoke("ann", "root")
        assert [await status(site, each.reading) for each in (ann, bob)] == [401, 200]
        site.clock.jump(3600)
        assert await status(site, bob.reading) == 401

    async def test_it_may_no_more_than_its_token(self, site: Site) -> None:
        ann = await log_in(site, await token(site, "ann", Scope.READ))
        assert (await acknowledge(site, ann.writing, ALERT))[0] == 403


class TestWrites:
    """What a browser sends by itself is no proof that somebody meant it."""

    async def test_need_the_token_of_the_session_s_own_forms(self, site: Site) -> None:
        ann = await log_in(site, await token(site, "ann"))
        again = await log_in(site, secret_of("ann"))
        for headers in (
            ann.reading,
            {**ann.reading, "X-CSRF-Token": ""},
            {**ann.reading, "X-CSRF-Token": again.form_token},
            {**ann.reading, "X-CSRF-Token": "ä"},
        ):
            assert (await acknowledge(site, headers, ALERT))[0] == 403
        assert await site.acknowledged() is None

    @pytest.mark.parametrize("headers", OTHER_SITE)
    async def test_do_not_come_from_other_sites(self, site: Site, headers: dict[str, str]) -> None:
        ann = await log_in(site, await token(site, "ann"))
        assert (await acknowledge(site, {**ann.writing, **headers}, ALERT))[0] == 403
        assert await site.acknowledged() is None

    async def test_programs_need_none_of_that(self, site: Site) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}", **OTHER_SITE[0]}
        assert (await acknowledge(site, headers, ALERT))[0] == 200


class TestLoggingOut:
    async def test_the_browser_forgets_and_it_is_written_down(self, site: Site) -> None:
        ann = await log_in(site, await token(site, "ann"))
        assert await log_out(site, ann) == 303
        assert (await deeds(site))[0] == ("ann", "logout")

    async def test_it_takes_a_form_of_ours(self, site: Site) -> None:
        ann = await log_in(site, await token(site, "ann"))
        assert await log_out(site, LoggedIn(ann.cookie, "x")) == 403
        assert await log_out(site, ann, Origin="https://evil.example") == 403
        async with site.session.get("/logout", headers=ann.reading) as answer:
            assert answer.status == 405

    async def test_a_session_that_is_over_can_be_left_too(self, site: Site) -> None:
        ann = await log_in(site, await token(site, "ann"))
        await Tokens(site.store, site.clock, site.source).revoke("ann", "root")
        assert await log_out(site, ann) == 303


class TestBeingLedThere:
    async def test_a_person_without_a_session_is_led_to_log_in_and_back(self, site: Site) -> None:
        html = {"Accept": "text/html,*/*"}
        async with site.session.get("/api?a=1&b=x%20y", headers=html, allow_redirects=False) as answer:
            assert answer.status == 303
            query = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert query == {"next": ["/api?a=1&b=x%20y"]}
        assert (await attempt(site, TOKEN, next=query["next"][0]))[:2] == (303, "/api?a=1&b=x%20y")

    async def test_a_part_of_a_page_takes_the_whole_page_there(self, site: Site) -> None:
        headers = {"HX-Request": "true", "HX-Current-URL": "https://relay.example.com/alerts?a=1"}
        async with site.session.get("/api", headers=headers) as answer:
            assert (answer.status, answer.headers["HX-Redirect"]) == (204, "/login?next=/alerts%3Fa%3D1")

    async def test_programs_are_not_led(self, site: Site) -> None:
        assert await status(site, {"Accept": "*/*"}, "/api") == 401
        assert await status(site, {"Accept": "text/html"}) == 401

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/alerts",
            "/alerts/alr_1?tab=x&y=%2F%2F",
            "/a//b",
            "/login-page",
            "/?next=https://evil.example",
        ],
    )
    def test_paths_of_ours(self, path: str) -> None:
        assert own_path(path) == path

    @pytest.mark.parametrize(
        "path",
        [
            "", "alerts", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example/",
            "javascript:alert(1)", "/a\\b", "/a\nb", "/\t/evil.example", "/ä", " /a", "/login",
            "/login?next=/a", "/logout", '/"x', "/<x>", "/" + "a" * 2000,
        ],
    )  # fmt: skip
    def test_others_lead_home(self, path: str) -> None:
        assert own_path(path) == "/"

    @given(st.text(alphabet=st.sampled_from("/\\:.@?#%ae \t\n\r"), max_size=12))
    def test_no_path_leads_to_another_site(self, given_path: str) -> None:
        path = own_path(given_path)
        assert re.match(r"/([^/\\]|$)", path)
        assert not re.search(r"[\s\\]", path)
        assert urlsplit(path).netloc == ""
