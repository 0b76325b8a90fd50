"""The page behind a link: what it shows, what its form does, and what it does not take."""

import asyncio
import gzip
import logging
import re
from datetime import timedelta

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from relay.model.alert import AlertState
from relay.model.plan import Plan
from relay.server.acknowledging import LENGTHS, entered
from relay.server.refused import RefusedError
from tests.server.conftest import ALERT, EVENT, RUNBOOK, Site
from tests.store import things
from tests.store.things import NOW, later

FORM = "application/x-www-form-urlencoded"


def body(text: str, kind: str = FORM) -> dict[str, object]:
    return {"data": text.encode(), "headers": {"Content-Type": kind}}


async def test_it_says_what_the_alert_is(site: Site) -> None:
    status, page = await site.get(site.path())
    assert status == 200
    for said in (
        "Table &lt;b&gt;tags&lt;/b&gt; &amp; more",
        "WARNING",
        "prod",
        "cluster.issue",
        "still fires",
    ):
        assert said in page
    assert '<html lang="en">' in page
    assert "2026-11-23 21:00:00 UTC" in page
    assert f'href="{RUNBOOK}"'.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in page
    assert "sent to ops" in page


async def test_a_one_off_event_has_no_duration(site: Site) -> None:
    status, page = await site.get(site.path(EVENT))
    assert (status, 'name="until"' in page) == (200, False)
    status, _ = await site.post(site.path(EVENT), until="1h")
    found = await site.acknowledged(EVENT)
    assert status == 303
    assert found is not None
    assert found.until is None


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_changes_nothing(site: Site, method: str) -> None:
    for query in ("", "?name=Ann&until="):
        assert (await site.get(site.path() + query, method))[0] == 200
    assert await site.acknowledged() is None
    assert await site.store.list_deeds() == []


async def test_it_acknowledges_and_leads_back(site: Site) -> None:
    path = site.path()
    async with site.session.post(
        path, data={"name": " Ann \t Example ", "note": "on\r\nit", "until": "4h"}, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, path)
        assert "Set-Cookie" not in answer.headers
    found = await site.acknowledged()
    assert found is not None
    assert (found.by, found.note, found.via) == ("Ann Example (link sent to ops)", "on\nit", "link")
    assert (found.at, found.until) == (NOW, NOW + timedelta(hours=4))
    (deed,) = await site.store.list_deeds()
    assert (deed["who"], deed["action"], deed["subject"], deed["note"]) == (
        "Ann Example (link sent to ops)", "acknowledge", ALERT, "on\nit",
    )  # fmt: skip
    _, page = await site.get(path)
    assert "Acknowledged by Ann Example (link sent to ops)" in page
    assert "until 2026-11-24 01:00:00 UTC" in page


async def test_one_that_no_longer_holds_is_not_shown(site: Site) -> None:
    await site.post(site.path(), until="1h")
    site.clock.jump(3601)
    assert "Acknowledged by" not in (await site.get(site.path()))[1]


async def test_a_second_person_can_take_over(site: Site) -> None:
    await site.post(site.path())
    await site.post(site.path(), name="Bob")
    found = await site.acknowledged()
    assert found is not None
    assert found.by == "Bob (link sent to ops)"
    assert len(await site.store.list_deeds()) == 2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "Write your name"),
        ({"name": " \u202e\t\u0000 "}, "Write your name"),
        ({"name": "x" * 81}, "at most 80 characters"),
        ({"note": "x" * 1001}, "at most 1000 characters"),
        ({"until": "for ever"}, "Choose one of these"),
    ],
)
async def test_what_is_wrong_is_said_beside_what_was_typed(
    site: Site, fields: dict[str, str], said: str
) -> None:
    status, page = await site.post(site.path(), **{"note": 'a "note" </textarea><script>', **fields})
    assert (status, said in page) == (422, True)
    assert "<script" not in page
    if "note" not in fields:
        assert "a &#34;note&#34; &lt;/textarea&gt;" in page
    assert await site.acknowledged() is None


async def test_controls_are_cleaned(site: Site) -> None:
    await site.post(site.path(), name="Ann\x1b[31m\u202eb", note="a\x00b\u2028c")
    found = await site.acknowledged()
    assert found is not None
    assert found.by.startswith("Ann\ufffd[31m\ufffdb")
    assert found.note == "a\ufffdb\ufffdc"


async def test_what_is_over_is_gone(site: Site) -> None:
    over = things.alert(ALERT, AlertState.RESOLVED, summary="It <was>", ends_at=later(60))
    await site.store.commit(Plan(at=later(60), alerts=(over,)))
    for status, page in (await site.get(site.path()), await site.post(site.path())):
        assert status == 410
        assert "This is over: It &lt;was&gt;" in page
        assert "2026-11-23 21:01 UTC" in page
    assert await site.store.list_deeds() == []


async def test_what_the_store_has_forgotten_is_gone(site: Site) -> None:
    status, page = await site.get(site.path("alr_gone"))
    assert (status, "no longer kept" in page) == (410, True)


async def test_a_beginning_of_an_id_is_none(site: Site) -> None:
    assert (await site.get(site.path(ALERT[:8])))[0] == 410
    assert (await site.get(site.path("evt_")))[0] == 410


async def test_an_expired_link_says_what_to_do(site: Site) -> None:
    path = site.path()
    site.clock.jump(3 * 86400 + 1)
    for status, page in (await site.get(path), await site.post(path)):
        assert (status, f"msr-relay ack {ALERT}" in page) == (410, True)
    assert await site.acknowledged() is None


async def test_a_forged_link_says_nothing_of_what_there_is(site: Site) -> None:
    path = site.path()
    for forged in (path[:-3], "/ack/x", "/ack/%00%ff", "/ack/" + "a" * 5000, f"/ack/{ALERT}"):
        status, page = await site.get(forged)
        assert (status, "not valid" in page) == (404, True), forged
        assert ALERT not in page


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\\"), min_size=1, max_size=80))
async def test_hostile_tokens(site: Site, token: str) -> None:
    url = aiohttp.client.URL(f"http://127.0.0.1:{site.port}") / "ack" / token
    async with site.session.get(url) as answer:
        assert answer.status == 404
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_too_many_forged_posts_are_not_looked_at(site: Site) -> None:
    assert [(await site.post("/ack/x"))[0] for _ in range(31)] == [404] * 30 + [429]
    assert (await site.post(site.path()))[0] == 303, "a right link is served meanwhile"
    await site.clock.advance(60)
    assert (await site.post("/ack/x"))[0] == 404


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "multipart/form-data; boundary=x", ""])
async def test_only_a_form_is_taken(site: Site, kind: str) -> None:
    status, _ = await site.get(site.path(), "POST", **body("name=Ann&until=", kind))
    assert status == 415
    assert await site.acknowledged() is None


async def test_a_charset_is_fine_and_compression_is_not(site: Site) -> None:
    path = site.path()
    packed = {"Content-Type": FORM, "Content-Encoding": "gzip"}
    assert (await site.get(path, "POST", data=gzip.compress(b"name=Ann"), headers=packed))[0] == 415
    assert (await site.get(path, "POST", **body("name=Ann", f"{FORM}; charset=UTF-8")))[0] == 303


async def test_a_form_has_8_kib_at_most(site: Site) -> None:
    async def chunks() -> object:
        for _ in range(9):
            yield b"x" * 1024

    headers = {"Content-Type": FORM}
    assert (await site.get(site.path(), "POST", **body("name=" + "x" * 8192)))[0] == 413
    assert (await site.get(site.path(), "POST", data=chunks(), headers=headers))[0] == 413
    fits = "name=Ann&until=&other=".ljust(8192, "x")
    assert (await site.get(site.path(), "POST", **body(fits)))[0] == 303


@given(st.binary(max_size=400) | st.text("&=%+a0;", max_size=200).map(str.encode))
def test_any_body_is_a_form_or_refused(sent: bytes) -> None:
    try:
        entry = entered(sent)
    except RefusedError:
        return
    assert len(entry.name) <= LENGTHS["name"]
    assert len(entry.note) <= LENGTHS["note"]
    assert entry.name.isprintable()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"Origin": "https://relay.example.com", "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "https://RELAY.example.com:443"}, 303),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "null"}, 303),
        ({"Origin": "https://evil.example.com"}, 403),
        ({"Origin": "https://relay.example.com:444"}, 403),
        ({"Origin": "https://relay.example.com.evil.test"}, 403),
        ({"Origin": "https://[:"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://relay.example.com", "Sec-Fetch-Site": "same-site"}, 403),
    ],
)
async def test_other_sites_cannot_send_the_form(site: Site, headers: dict[str, str], status: int) -> None:
    sent = {"Content-Type": FORM, **headers}
    assert (await site.get(site.path(), "POST", data=b"name=Ann", headers=sent))[0] == status
    assert (await site.acknowledged() is not None) == (status == 303)


async def test_the_host_that_was_asked_may_send_the_form(site: Site) -> None:
    headers = {"Content-Type": FORM, "Origin": f"http://127.0.0.1:{site.port}"}
    assert (await site.get(site.path(), "POST", data=b"name=Ann", headers=headers))[0] == 303


async def test_every_answer_has_the_headers(site: Site) -> None:
    for path in (site.path(), "/ack/x", "/", "/healthz", "/api/v1/silences", "/api/v1/nothing"):
        async with site.session.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            for part in (
                "default-src 'none'",
                "style-src 'sha256-",
                "form-action 'self'",
                "frame-ancestors 'none'",
            ):
                assert part in policy
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Robots-Tag"] == "noindex"


async def test_pages_bring_everything_with_them(site: Site) -> None:
    _, page = await site.get(site.path())
    assert not re.search(r"<script|<img|<link|\sstyle=|\son\w+=|src=", page)
    ids = set(re.findall(r'\sid="([^"]+)"', page))
    assert set(re.findall(r'<label for="([^"]+)"', page)) <= ids
    assert len(re.findall("<h1", page)) == 1


async def test_other_methods_are_not_allowed(site: Site) -> None:
    async with site.session.put(site.path()) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD,POST")


async def test_a_store_that_fails_is_said(site: Site) -> None:
    path = site.path()
    site.store.close()
    for status, page in (await site.get(path), await site.post(path)):
        assert (status, "Try again in a minute" in page) == (503, True)


async def test_a_bug_shows_no_trace_and_logs_no_token(
    site: Site, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    path = site.path()
    token = path.rpartition("/")[2]
    site.pages.render = lambda *_, **__: 1 / 0  # type: ignore[method-assign]
    with capture_logs() as logs:
        status, page = await site.get(path)
    assert (status, "Traceback" in page) == (500, False)
    assert logs[0]["error"] == "ZeroDivisionError"
    assert token not in str(logs) + caplog.text + "".join(capfd.readouterr())


async def test_nothing_of_a_token_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    path = site.path()
    token = path.rpartition("/")[2]
    with capture_logs() as logs:
        await site.get(path)
        await site.post(path)
        await site.get(path[:-2])
        for request in (f"GET {path}\x01 HTTP/1.1\r\n\r\n", f"GET {path} HTTP/1.1\r\nA b: {path}\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(request.encode())
            assert b" 400 " in await reader.readline()
            writer.close()
            await writer.wait_closed()
    ours = [
        record.getMessage() + str(record.exc_info) for record in caplog.records if record.name != "asyncio"
    ]
    assert token[:20] not in str(logs) + "\n".join(ours)
