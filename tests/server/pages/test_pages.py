"""Every page: over an empty store, over a full one, for strange texts, and for who may not."""

import re

import pytest

from relay.model.access import Scope
from relay.server.pages.base import NAVIGATION
from tests.server.conftest import Site
from tests.server.pages.filled import fill
from tests.server.people import log_in, token

LISTS = [*(path for path, _ in NAVIGATION), "/alerts?state=all", "/silences?ended=true"]
ONES = [
    "/alerts/alr_strange",
    "/alerts/alr_over",
    "/events/evt_strange",
    "/deliveries/dlv_dead",
    "/deliveries/dlv_delivered",
    "/deliveries/dlv_silenced",
    "/channels/soc",
    "/channels/on%2Fcall",
    "/channels/former",
    "/repositories/prod/prod/app",
    "/repositories/prod/prod/gone",
]
UNKNOWN = [
    "/alerts/alr_none",
    "/alerts/x",
    "/events/evt_none",
    "/deliveries/dlv_none",
    "/channels/none",
    "/repositories/prod/prod/none",
]
HTML = {"Accept": "text/html"}


async def browse(site: Site, paths: list[str], scope: Scope = Scope.OPERATE) -> dict[str, tuple[int, str]]:
    """Log in and look at pages; return how each was answered."""
    someone = await log_in(site, await token(site, "ann", scope))
    return {path: await site.get(path, headers={**someone.reading, **HTML}) for path in paths}


@pytest.fixture
async def full(site: Site) -> Site:
    await fill(site)
    return site


async def test_an_empty_store_says_what_to_do(site: Site) -> None:
    pages = await browse(site, LISTS)
    for path, (status, page) in pages.items():
        assert (path, status) == (path, 200)
        assert path in _NOT_EMPTY or 'class="empty"' in page, path
    assert "No cluster is configured" in pages["/"][1]
    assert "No channel is configured" in pages["/channels"][1]


_NOT_EMPTY = ("/alerts", "/alerts?state=all", "/events", "/journal", "/rules", "/playground", "/api")
"""Of which the site of every test has something, or which list nothing that the store has."""
_TRIES = {"/rules": {"/rules"}}
"""Forms for who may only look: they change nothing."""


async def test_nothing_that_was_said_gets_out_of_its_place(full: Site) -> None:
    for path, (status, page) in (await browse(full, LISTS + ONES)).items():
        assert (path, status) == (path, 200)
        for strange in ("<script>alert", "\u202e", "<b>tags", "gone <b>", "ann <b>", "<html>answer", "<x>"):
            assert strange not in page, (path, strange)


async def test_a_page_keeps_to_its_own_policy(full: Site) -> None:
    for path, (_, page) in (await browse(full, LISTS + ONES)).items():
        assert not re.search(r"<[^>]+\sstyle=", page), path
        assert not re.search(r"<[^>]+\son\w+=", page), path
        assert "<style" not in page, path
        assert all("src=" in each for each in re.findall(r"<script[^>]*>", page)), path


async def test_no_two_things_of_a_page_go_by_the_same_id(full: Site) -> None:
    for path, (_, page) in (await browse(full, LISTS + ONES)).items():
        ids = re.findall(r'\sid="([^"]+)"', page)
        assert sorted(ids) == sorted(set(ids)), path
        assert set(re.findall(r'\sfor="([^"]+)"', page)) <= set(ids), path
        assert set(re.findall(r'aria-labelledby="([^"]+)"', page)) <= {*ids, *_PAIRS}, path


_PAIRS = ("rate-title rate-desc", "latency-title latency-desc")


async def test_what_there_is_not_is_told_in_the_frame(full: Site) -> None:
    for path, (status, page) in (await browse(full, UNKNOWN)).items():
        assert (path, status) == (path, 404)
        assert 'aria-label="pages"' in page, path


async def test_what_cannot_be_meant_is_told_in_the_frame(full: Site) -> None:
    paths = ["/alerts?severity=awful", "/events?cursor=x", "/deliveries?state=x", "/repositories?cursor=x"]
    for path, (status, page) in (await browse(full, paths)).items():
        assert (path, status) == (path, 422)
        assert 'aria-label="pages"' in page, path


async def test_who_is_not_logged_in_is_led_there(site: Site) -> None:
    for path in LISTS + ONES:
        async with site.session.get(path, headers=HTML, allow_redirects=False) as answer:
            assert (path, answer.status) == (path, 303)
            assert answer.headers["Location"].startswith("/login")


async def test_who_may_only_look_is_shown_no_form(full: Site) -> None:
    for path, (status, page) in (await browse(full, LISTS + ONES, Scope.READ)).items():
        assert (path, status) == (path, 200)
        assert set(re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', page)) == {
            "/logout",
            *_TRIES.get(path, ()),
        }, path
