"""A write with an idempotency key is done once; a reader learns whether anything is new."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from relay.model.errors import StoreError
from relay.server.api.idempotency import AGAIN, HEADER, Once
from relay.server.refused import RefusedError
from relay.store import Cut
from tests.server.conftest import ALERT, TOKEN, Site
from tests.server.test_api import SILENCE

KEY = "0d5cb1a2-7c1e-4a9e-9a53-7d5b1f3c2a10"


async def send(
    site: Site, body: Any, key: str | None = KEY, path: str = "/silences"
) -> tuple[int, Any, bool]:
    """Return the status, the answer, and whether it was given again."""
    headers = {"Authorization": f"Bearer {TOKEN}"} | ({} if key is None else {HEADER: key})
    async with site.session.post(f"/api/v1{path}", json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None), AGAIN in answer.headers


class TestOnce:
    async def test_the_same_again_is_answered_alike_and_done_once(self, site: Site) -> None:
        status, made, again = await send(site, SILENCE)
        assert (status, again) == (201, False)
        site.clock.jump(60)
        assert await send(site, SILENCE) == (201, made, True)
        assert len(await site.store.list_deeds()) == 1

    async def test_without_a_key_it_is_done_twice(self, site: Site) -> None:
        _, first, _ = await send(site, SILENCE, None)
        _, second, _ = await send(site, SILENCE, None)
        assert first["id"] != second["id"]

    async def test_a_refusal_is_given_again_too(self, site: Site) -> None:
        status, said, _ = await send(site, {"about": "alr_nothing"}, path="/acknowledge")
        assert status == 404
        assert await send(site, {"about": "alr_nothing"}, path="/acknowledge") == (404, said, True)

    async def test_at_the_same_time(self, site: Site) -> None:
        found = await asyncio.gather(*(send(site, SILENCE) for _ in range(20)))
        assert {status for status, _, _ in found} <= {201, 409}
        assert len({said["id"] for status, said, _ in found if status == 201}) == 1
        assert len(await site.store.list_deeds()) == 1

    @pytest.mark.parametrize("path", ["/acknowledge", "/silences"])
    async def test_another_request_with_the_same_key_is_refused(self, site: Site, path: str) -> None:
        await send(site, SILENCE)
        order = {"about": ALERT} if path == "/acknowledge" else SILENCE | {"comment": "another"}
        status, said, _ = await send(site, order, path=path)
        assert status == 422
        assert "was used for another request" in said["detail"]

    @pytest.mark.parametrize("key", ["", "x" * 256, "ä"])
    async def test_a_key_that_is_none(self, site: Site, key: str) -> None:
        assert (await send(site, SILENCE, key))[0] == 400
        assert await site.store.list_deeds() == []

    async def test_one_that_failed_in_the_midst_of_it_is_not_done_again(self, site: Site) -> None:
        once = Once(site.store, site.clock, "key", "asked")

        async def fail() -> web.Response:
            raise StoreError("store: the connection was lost, whether or not it was committed")

        with pytest.raises(StoreError):
            await once.do(fail)
        with pytest.raises(RefusedError, match="under way") as refused:
            await once.do(fail)
        assert refused.value.status == 409

    async def test_a_store_that_fails_leaves_the_key_unused(self, site: Site) -> None:
        site.store.close()
        assert (await send(site, SILENCE))[0] == 503

    async def test_keys_are_forgotten_after_a_while(self, site: Site) -> None:
        await send(site, SILENCE)
        later = site.clock.now() + timedelta(seconds=1)
        await site.store.prune(Cut(later, later, later, later))
        assert (await send(site, SILENCE))[2] is False


class TestEntityTag:
    async def get(self, site: Site, tag: str | None = None) -> tuple[int, str, str]:
        headers = {"Authorization": f"Bearer {TOKEN}"} | ({} if tag is None else {"If-None-Match": tag})
        async with site.session.get("/api/v1/silences", headers=headers) as answer:
            return answer.status, answer.headers["ETag"], await answer.text()

    async def test_what_is_known_is_not_sent_again(self, site: Site) -> None:
        status, tag, text = await self.get(site)
        assert (status, bool(text)) == (200, True)
        assert await self.get(site, tag) == (304, tag, "")
        assert await self.get(site, f'"other", W/{tag}') == (304, tag, "")
        await send(site, SILENCE)
        status, changed, _ = await self.get(site, tag)
        assert (status, changed != tag) == (200, True)

    async def test_it_may_be_kept_but_has_to_be_asked_for(self, site: Site) -> None:
        async with site.session.get(
            "/api/v1/silences", headers={"Authorization": f"Bearer {TOKEN}"}
        ) as answer:
            assert answer.headers["Cache-Control"] == "private, no-cache"
