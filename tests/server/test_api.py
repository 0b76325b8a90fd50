"""The API: who may use it, what its operations do, and how it says no."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.server.api.handler import BODY_BYTES
from tests.server.conftest import ALERT, EVENT, Site

LET_IN = " (by server.api_token)"
DEEP = b'{"match": ' + b'{"a": ' * 900 + b"1" + b"}" * 901
SILENCE = {
    "by": "deploy job",
    "match": {"type": "cluster.issue", "cluster": ["prod"]},
    "starts_at": "2026-11-23T21:00:00Z",
    "ends_at": "2026-11-23T23:00:00Z",
    "comment": "upgrade",
}


class TestWhoMayUseIt:
    async def test_without_a_token_in_the_settings_nobody(self, site: Site) -> None:
        site.api_token = None
        status, said = await site.call("/acknowledge", {"by": "x", "about": ALERT})
        assert (status, said["title"], said["status"]) == (403, "Forbidden", 403)
        assert "server.api_token" in said["detail"]
        assert await site.acknowledged() is None

    @pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "a-token-for-programs"])
    async def test_without_one_in_the_request_nobody(self, site: Site, header: str | None) -> None:
        headers = {} if header is None else {"Authorization": header}
        async with site.session.post("/api/v1/acknowledge", json={}, headers=headers) as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="msr-relay"')

    @pytest.mark.parametrize("token", ["wrong", "a-token-for-program", "a-token-for-programs2", "\u00e4"])
    async def test_a_wrong_one_is_told(self, site: Site, token: str) -> None:
        headers = {"Authorization": f"bearer {token}"}
        async with site.session.get("/api/v1/silences", headers=headers) as answer:
            assert answer.status == 401
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]

    async def test_guessing_is_limited_and_locks_nobody_out(self, site: Site) -> None:
        found = [(await site.call("/silences", None, "GET", "wrong"))[0] for _ in range(31)]
        assert found == [401] * 30 + [429]
        assert (await site.call("/silences", None, "GET"))[0] == 200
        await site.clock.advance(60)
        assert (await site.call("/silences", None, "GET", "wrong"))[0] == 401


class TestOperations:
    async def test_acknowledge_and_back(self, site: Site) -> None:
        until = "2026-11-23T22:00:00Z"
        order = {"by": "pager", "about": ALERT, "note": "seen", "until": until}
        status, said = await site.call("/acknowledge", order)
        assert status == 200
        assert said == {
            "about": ALERT, "by": f"pager{LET_IN}", "at": "2026-11-23T21:00:00.123456Z", "note": "seen",
            "until": until, "via": "api",
        }  # fmt: skip
        assert await site.acknowledged() is not None
        assert await site.call("/unacknowledge", {"by": "pager", "about": ALERT}) == (200, {"about": ALERT})
        assert await site.acknowledged() is None
        assert [deed["action"] for deed in await site.store.list_deeds()] == ["unacknowledge", "acknowledge"]
        assert {deed["who"] for deed in await site.store.list_deeds()} == {f"pager{LET_IN}"}

    async def test_silences(self, site: Site) -> None:
        status, made = await site.call("/silences", SILENCE)
        assert (status, made["author"], made["match"]["cluster"]) == (
            201,
            f"deploy job{LET_IN}",
            ["prod"],
        )
        assert (await site.call("/silences", None, "GET")) == (200, {"items": [made | {"standing": "holds"}]})
        path = f"/silences/{made['id']}/expire"
        site.clock.jump(60)
        status, ended = await site.call(path, {"by": "ann"})
        assert (status, ended["ends_at"]) == (200, "2026-11-23T21:01:00.123456Z")
        assert (await site.call("/silences", None, "GET")) == (200, {"items": []})
        site.clock.jump(1)
        assert (await site.call(path, {"by": "ann"}))[0] == 404
        assert [deed["action"] for deed in await site.store.list_deeds()] == ["expire", "silence"]

    async def test_one_that_is_over_is_not_listed(self, site: Site) -> None:
        await site.call("/silences", SILENCE)
        site.clock.jump(timedelta(hours=2).total_seconds())
        assert (await site.call("/silences", None, "GET"))[1] == {"items": []}


class TestHowItSaysNo:
    @pytest.mark.parametrize(
        ("operation", "order", "status", "fields"),
        [
            ("/acknowledge", {}, 422, ["about"]),
            ("/acknowledge", {"by": "", "about": ALERT}, 422, ["by"]),
            ("/acknowledge", {"by": "a", "about": ALERT, "abuot": 1}, 422, ["abuot"]),
            ("/acknowledge", {"by": "a", "about": ALERT, "via": "cli"}, 422, ["via"]),
            ("/acknowledge", {"by": "a", "about": ALERT, "until": "2026-11-23T22:00:00"}, 422, ["until"]),
            ("/acknowledge", {"by": "a", "about": ALERT, "note": "x" * 1001}, 422, ["note"]),
            ("/acknowledge", {"by": "a", "about": ALERT, "until": "2026-11-23T20:00:00Z"}, 422, []),
            ("/acknowledge", {"by": "a", "about": "alr_nothing"}, 404, []),
            ("/unacknowledge", {"by": "a", "about": "evt_nothing"}, 404, []),
            ("/silences", SILENCE | {"match": {"typo": 1}}, 422, ["match.typo"]),
            ("/silences", SILENCE | {"match": {"type": ["trust.delted"]}}, 422, ["match.type[0]"]),
            ("/silences", SILENCE | {"match": {}}, 422, []),
            ("/silences", SILENCE | {"ends_at": "2026-11-23T20:00:00Z"}, 422, []),
            ("/silences/sil_x/expire", {"by": "a", "silence": "sil_y"}, 422, ["silence"]),
            ("/silences/sil_x/expire", {"by": "a"}, 404, []),
            ("/nothing", {"by": "a"}, 404, []),
        ],
    )
    async def test_what_is_wrong_and_where(
        self, site: Site, operation: str, order: Any, status: int, fields: list[str]
    ) -> None:
        found, said = await site.call(operation, order)
        assert (found, said["status"], said["type"]) == (status, status, "about:blank")
        assert said["detail"]
        assert [error["field"] for error in said.get("errors", [])] == fields
        assert all(field in said["detail"] for field in fields)
        assert await site.store.list_deeds() == []

    async def test_an_unknown_key_is_called_so(self, site: Site) -> None:
        _, said = await site.call("/acknowledge", {"by": "a", "about": ALERT, "abuot": 1})
        assert said["errors"] == [{"field": "abuot", "message": "unknown key"}]

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'{"by": NaN}', b"\xff", b"[" * 60_000, DEEP])
    async def test_what_is_no_json_object(self, site: Site, body: bytes) -> None:
        assert await self.send(site, body) == 400

    async def test_another_type_or_too_much(self, site: Site) -> None:
        assert await self.send(site, b"{}", "text/plain") == 415
        assert await self.send(site, b"{}", "application/x-www-form-urlencoded") == 415
        assert await self.send(site, b" " * (BODY_BYTES + 1)) == 413

    @staticmethod
    async def send(site: Site, body: bytes, kind: str = "application/json") -> int:
        headers = {"Authorization": "Bearer a-token-for-programs", "Content-Type": kind}
        async with site.session.post("/api/v1/acknowledge", data=body, headers=headers) as answer:
            assert answer.content_type == "application/problem+json"
            return answer.status

    async def test_another_method(self, site: Site) -> None:
        async with site.session.get("/api/v1/acknowledge") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
            assert (await answer.json(content_type=None))["status"] == 405

    async def test_a_store_that_fails(self, site: Site) -> None:
        site.store.close()
        status, said = await site.call("/acknowledge", {"by": "a", "about": ALERT})
        assert (status, said["title"]) == (503, "Service Unavailable")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_TIMES = st.sampled_from(
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-11-23T22:00:00+02:00",
        "2027-11-23T22:00:00Z",
        "1e99",
        -1,
        1e300,
    ]
)
_ORDERS = {
    "/acknowledge": {"by": "a", "about": ALERT},
    "/unacknowledge": {"by": "a", "about": ALERT},
    "/silences": SILENCE,
    "/silences/sil_x/expire": {"by": "a"},
}
_CHANGES = st.one_of(
    st.tuples(st.sampled_from(["by", "note", "comment"]), st.text(max_size=5) | _JSON),
    st.tuples(st.just("about"), st.sampled_from([EVENT, "alr_", "", "\ud800", "a\0"]) | _JSON),
    st.tuples(st.sampled_from(["starts_at", "ends_at", "until"]), _TIMES | _JSON),
    st.tuples(st.just("match"), st.just({"type": "*"}) | st.fixed_dictionaries({"type": _JSON}) | _JSON),
    st.tuples(st.just("match"), st.fixed_dictionaries({"labels": _JSON}) | st.just({"cluster": "\ud800"})),
    st.tuples(
        st.just("intervals"), st.lists(st.dictionaries(st.text(max_size=3), _JSON, max_size=2)) | _JSON
    ),
    st.tuples(st.text(max_size=5), _JSON),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.sampled_from(list(_ORDERS)), st.lists(_CHANGES, min_size=1, max_size=3))
async def test_nothing_that_is_sent_is_a_failure_of_ours(
    site: Site, operation: str, changes: list[tuple[str, Any]]
) -> None:
    status, _ = await site.call(operation, _ORDERS[operation] | dict(changes))
    assert status in (200, 201, 400, 404, 409, 422)
