"""Listings: what is asked for is shown, and every page of it leads to the next."""

import html
import re
from dataclasses import replace

from relay.model.plan import Plan
from tests.server.conftest import Site
from tests.server.pages.filled import fill, heads
from tests.server.people import LoggedIn, log_in, token
from tests.store import things
from tests.store.things import NOW, later


async def through(site: Site, who: LoggedIn, path: str, link: str) -> list[str]:
    """Follow the pages of a listing to its end; return what its links of a sort lead to."""
    found: list[str] = []
    while True:
        status, page = await site.get(path, headers=who.reading)
        assert (path, status) == (path, 200)
        found += re.findall(f'href="({link}[^"?]+)"', page.partition('id="list"')[2])
        following = re.search(r'<a rel="next" href="([^"]+)"', page)
        if following is None:
            return found
        path = html.unescape(following[1])


async def someone(site: Site) -> LoggedIn:
    return await log_in(site, await token(site, "ann"))


async def test_events_page_by_page_with_what_was_asked_for(site: Site) -> None:
    told = [things.event(f"evt_{n:03}", cluster="prod" if n % 2 else "stage") for n in range(130)]
    await site.store.commit(Plan(at=NOW, events=tuple(told)))
    who = await someone(site)
    found = await through(site, who, "/events?cluster=stage", "/events/")
    assert found == [f"/events/evt_{n:03}" for n in reversed(range(0, 130, 2))]
    assert await through(site, who, "/events?search=EVT_00", "/events/") == [
        f"/events/evt_{n:03}" for n in reversed(range(10))
    ]


async def test_alerts_page_by_page(site: Site) -> None:
    alerts = tuple(things.alert(f"alr_{n:03}", starts_at=later(n)) for n in range(70))
    await site.store.commit(Plan(at=NOW, alerts=alerts))
    who = await someone(site)
    found = await through(site, who, "/alerts?type=cluster.*", "/alerts/")
    assert found[:70] == [f"/alerts/alr_{n:03}" for n in reversed(range(70))]
    assert await through(site, who, "/alerts?severity=critical", "/alerts/") == []


async def test_deliveries_of_a_state_and_of_a_channel(site: Site) -> None:
    await fill(site)
    who = await someone(site)
    assert await through(site, who, "/deliveries?state=dead", "/deliveries/") == ["/deliveries/dlv_dead"]
    found = await through(site, who, "/deliveries?channel=on%2Fcall&state=muted", "/deliveries/")
    assert found == ["/deliveries/dlv_muted"]


async def test_repositories_page_by_page_and_by_state(site: Site) -> None:
    first, *_ = heads()
    many = [
        replace(first, repository=f"prod/{n:03}", gun=f"msr.example.com/prod/{n:03}", event=f"evt_{n}")
        for n in range(120)
    ]
    await site.store.commit(Plan(at=NOW, heads=tuple(many)))
    who = await someone(site)
    found = await through(site, who, "/repositories", "/repositories/")
    assert found == [f"/repositories/prod/prod/{n:03}" for n in range(120)]
    assert await through(site, who, "/repositories?search=/11&standing=unexamined", "/repositories/") == [
        f"/repositories/prod/prod/{n}" for n in range(110, 120)
    ]
    assert await through(site, who, "/repositories?standing=deleted", "/repositories/") == []


async def test_the_journal_by_who(site: Site) -> None:
    await fill(site)
    who = await someone(site)
    _, page = await site.get("/journal?who=root", headers=who.reading)
    assert page.count("create-token") == 1
    assert "acknowledge" not in page.partition('id="list"')[2]
