"""Who may: tokens, what each scope is for, trusted proxies, and nobody in particular."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from relay.engine.tokens import Tokens
from relay.model.access import Principal, Scope, Via
from relay.model.errors import ConfigError
from relay.server.access import check_listening, gate, require
from relay.server.access.places import on_loopback
from relay.server.refused import RefusedError
from relay.settings.server import ServerSettings
from tests.server.conftest import ALERT, TOKEN, Site
from tests.server.people import acknowledge, bearer, configure, log_in, secret_of, status, token

HOUR = timedelta(hours=1)
PROXY = {"addresses": ["127.0.0.0/8"]}
LOOPBACK = {"Host": "localhost:8080"}


async def who(site: Site) -> list[str]:
    return [deed["who"] for deed in await site.store.list_deeds() if deed["action"] == "acknowledge"]


async def revoke(site: Site, name: str) -> None:
    await Tokens(site.store, site.clock, site.service().operator.source).revoke(name, "root")


class TestTokens:
    async def test_one_of_the_store_lets_in_under_its_name(self, site: Site) -> None:
        secret = await token(site, "ann")
        assert (await acknowledge(site, bearer(secret), ALERT))[0] == 200
        assert await who(site) == ["ann"]

    async def test_that_of_the_settings_does_so_beside_it(self, site: Site) -> None:
        await token(site, "ann")
        assert (await acknowledge(site, bearer(TOKEN), ALERT))[0] == 200
        assert await who(site) == ["server.api_token"]

    async def test_a_scope_is_not_exceeded(self, site: Site) -> None:
        secret = await token(site, "ann", Scope.READ)
        assert await status(site, bearer(secret)) == 200
        async with site.session.post(
            "/api/v1/acknowledge", json={"about": ALERT}, headers=bearer(secret)
        ) as answer:
            assert answer.status == 403
            assert 'scope="operate"' in answer.headers["WWW-Authenticate"]
            assert "ann may not do this" in (await answer.json(content_type=None))["detail"]
        assert await who(site) == []

    @pytest.mark.parametrize("given", list(Scope))
    @pytest.mark.parametrize("needed", list(Scope))
    def test_each_scope_includes_those_before_it(self, given: Scope, needed: Scope) -> None:
        if list(Scope).index(given) >= list(Scope).index(needed):
            require(Principal("ann", given, Via.TOKEN), needed)
        else:
            with pytest.raises(RefusedError):
                require(Principal("ann", given, Via.TOKEN), needed)

    async def test_it_ends_to_the_moment(self, site: Site) -> None:
        secret = await token(site, "ann", expires_at=site.clock.now() + HOUR)
        site.clock.jump(3599)
        assert await status(site, bearer(secret)) == 200
        site.clock.jump(1)
        async with site.session.get("/api/v1/silences", headers=bearer(secret)) as answer:
            assert answer.status == 401
            assert "has expired" in await answer.text()

    async def test_a_revoked_one_lets_nobody_in(self, site: Site) -> None:
        secret = await token(site, "ann")
        assert await status(site, bearer(secret)) == 200
        await revoke(site, "ann")
        async with site.session.get("/api/v1/silences", headers=bearer(secret)) as answer:
            assert answer.status == 401
            assert "was revoked" in await answer.text()

    @pytest.mark.parametrize(
        "end", ["9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z", "2127-01-01T00:00:00Z"]
    )
    async def test_one_without_a_foreseeable_end_is_refused(self, site: Site, end: str) -> None:
        body = {"name": "ann", "scope": "read", "expires_at": end}
        found, said = await site.call("/tokens", body)
        assert (found // 100, "100 years" in said["detail"] or "must lie between" in str(said)) == (4, True)
        assert (await site.call("/tokens", None, "GET")) == (200, {"items": []})

    async def test_its_use_is_noted_once_an_hour(self, site: Site) -> None:
        secret, began = await token(site, "ann"), site.clock.now()
        for seconds, noted in ((0, 0), (3599, 0), (1, 3600), (10, 3600)):
            site.clock.jump(seconds)
            assert await status(site, bearer(secret)) == 200
            [found] = await site.store.list_tokens()
            assert found.used_at == began + timedelta(seconds=noted)

    async def test_no_answer_repeats_what_was_sent(self, site: Site) -> None:
        for headers in (bearer("msr_wrong-but-secret"), {"Cookie": "msr_relay_session=wrong-but-secret"}):
            async with site.session.get("/api/v1/silences", headers=headers) as answer:
                assert answer.status == 401
                assert "wrong-but-secret" not in await answer.text() + str(answer.headers)

    async def test_a_bad_token_is_not_made_up_for_by_a_session(self, site: Site) -> None:
        ann = await log_in(site, await token(site, "ann"))
        assert await status(site, {**ann.reading, **bearer("msr_wrong")}) == 401
        assert await status(site, {**ann.reading, "Authorization": "Basic YTpi"}) == 200


class TestGuessing:
    async def test_what_is_no_token_by_its_shape_is_not_looked_up(self, site: Site) -> None:
        site.store.close()
        for secret in ("msr_short", secret_of("x")[:-1], secret_of("x") + "x", "x" * 47, "msr_" + "ä" * 43):
            assert await status(site, bearer(secret)) == 401
        assert await status(site, bearer(secret_of("x"))) == 503

    async def test_after_too_many_only_those_let_in_lately_are_looked_up(self, site: Site) -> None:
        known, revoked, new = [await token(site, name) for name in ("known", "revoked", "new")]
        for each in (known, revoked):
            assert await status(site, bearer(each)) == 200
        guesses = [await status(site, bearer(secret_of(f"guess {n}"))) for n in range(31)]
        assert guesses == [401] * 30 + [429]
        found = await asyncio.gather(*(status(site, bearer(known)) for _ in range(5)))
        assert found == [200] * 5
        await revoke(site, "revoked")
        assert await status(site, bearer(revoked)) == 429
        assert await status(site, bearer(new)) == 429
        assert await status(site, bearer(TOKEN)) == 200
        site.store.close()
        assert await status(site, bearer(secret_of("guess"))) == 429
        assert await status(site, bearer(known)) == 503

    async def test_who_is_new_is_let_in_a_minute_later(self, site: Site) -> None:
        new = await token(site, "new")
        for n in range(31):
            await status(site, bearer(secret_of(f"guess {n}")))
        assert await status(site, bearer(new)) == 429
        await site.clock.advance(60)
        assert await status(site, bearer(new)) == 200

    async def test_the_latest_are_remembered(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gate, "_REMEMBERED", 2)
        first, second, third = [await token(site, name) for name in ("first", "second", "third")]
        for each in (first, second, first, third):
            assert await status(site, bearer(each)) == 200
        for n in range(31):
            await status(site, bearer(secret_of(f"guess {n}")))
        assert [await status(site, bearer(each)) for each in (first, second, third)] == [200, 429, 200]


class TestProxies:
    async def test_who_it_names_is_let_in(self, site: Site) -> None:
        configure(site, trusted_proxy=PROXY | {"scope": "operate"})
        ann = {"X-Forwarded-User": "ann@example.com"}
        assert await status(site, ann) == 200
        assert await status(site, {}) == 401
        form_token = site.access.sessions.form_token("proxy\0ann@example.com")
        assert (await acknowledge(site, {**ann, "X-CSRF-Token": form_token}, ALERT))[0] == 200
        assert await who(site) == ["ann@example.com (proxy)"]

    async def test_a_write_needs_the_form_s_token(self, site: Site) -> None:
        configure(site, trusted_proxy=PROXY | {"scope": "operate"})
        ann = {"X-Forwarded-User": "ann"}
        assert (await acknowledge(site, ann, ALERT))[0] == 403
        other = site.access.sessions.form_token("proxy\0bob")
        assert (await acknowledge(site, {**ann, "X-CSRF-Token": other}, ALERT))[0] == 403
        assert await who(site) == []

    async def test_from_another_address_the_header_is_nothing(self, site: Site) -> None:
        configure(site, trusted_proxy={"addresses": ["10.0.0.0/8", "fd00::/8"], "scope": "admin"})
        assert await status(site, {"X-Forwarded-User": "ann"}) == 401

    async def test_another_name_of_the_header(self, site: Site) -> None:
        configure(site, trusted_proxy=PROXY | {"user_header": "X-Auth-Request-Email"})
        assert await status(site, {"X-Auth-Request-Email": "ann"}) == 200
        assert await status(site, {"X-Forwarded-User": "ann"}) == 401

    @pytest.mark.parametrize(
        ("groups", "may"),
        [
            (None, 403),
            ("", 403),
            ("staff,on-call", 200),
            (" on-call ", 200),
            ("ON-CALL", 403),
            ("staff, root", 200),
        ],
    )
    async def test_groups_may_more(self, site: Site, groups: str | None, may: int) -> None:
        configure(
            site,
            trusted_proxy=PROXY
            | {"groups_header": "X-Forwarded-Groups", "groups": {"on-call": "operate", "root": "admin"}},
        )
        headers = {
            "X-Forwarded-User": "ann",
            "X-CSRF-Token": site.access.sessions.form_token("proxy\0ann"),
        } | ({} if groups is None else {"X-Forwarded-Groups": groups})
        assert (await acknowledge(site, headers, ALERT))[0] == may

    @pytest.mark.parametrize("names", [["ann", "eve"], ["x" * 121], ["\u202eann"], ["", "ann"]])
    async def test_what_is_not_clear_is_refused(self, site: Site, names: list[str]) -> None:
        configure(site, trusted_proxy=PROXY)
        headers = [("X-Forwarded-User", name) for name in names]
        async with site.session.get("/api/v1/silences", headers=headers) as answer:
            assert answer.status == 400
            assert "X-Forwarded-User" in await answer.text()

    async def test_none_named_is_nobody(self, site: Site) -> None:
        configure(site, trusted_proxy=PROXY)
        for name in ("", " "):
            assert await status(site, {"X-Forwarded-User": name}) == 401


class TestNobodyInParticular:
    async def test_reads_on_loopback_while_nothing_is_set_up(self, site: Site) -> None:
        configure(site)
        assert await status(site, {}) == 200
        found, said = await acknowledge(site, {}, ALERT)
        assert (found, "msr-relay token create" in said or "Make a token" in said) == (403, True)
        assert await who(site) == []

    async def test_even_with_the_form_s_token_it_only_reads(self, site: Site) -> None:
        configure(site)
        headers = {"X-CSRF-Token": site.access.sessions.form_token("local")}
        found, said = await acknowledge(site, headers, ALERT)
        assert found == 403
        assert "local may not do this: it needs the scope operate" in said

    @pytest.mark.parametrize(
        "server",
        [
            {"public_url": "https://relay.example.com"},
            {"trusted_proxy": {"addresses": ["10.0.0.7"]}},
            {"api_token": "a-token-for-programs"},
            {"listen": "0.0.0.0:8080"},
            {"anonymous": "off"},
        ],
    )
    async def test_what_is_set_up_ends_that(self, site: Site, server: dict[str, Any]) -> None:
        configure(site, **server)
        site.api_token = site.settings.server.api_token
        assert await status(site, {}) in (401, 403)

    async def test_the_first_token_ends_that_for_good(self, site: Site) -> None:
        configure(site)
        assert await status(site, {}) == 200
        await token(site, "ann", expires_at=site.clock.now() + HOUR)
        assert await status(site, {}) == 401
        await revoke(site, "ann")
        assert await status(site, {}) == 401

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
    async def test_what_a_proxy_passes_on_is_not_local(self, site: Site, header: str) -> None:
        configure(site)
        assert await status(site, {header: "192.0.2.1"}) == 403

    async def test_if_told_so_it_may_even_operate(self, site: Site) -> None:
        configure(site, anonymous="operate")
        headers = {"X-CSRF-Token": site.access.sessions.form_token("local")}
        assert (await acknowledge(site, headers, ALERT))[0] == 200
        assert await who(site) == ["local"]
        # Another site can send a form, but knows no token of ours.
        assert (await acknowledge(site, {}, ALERT))[0] == 403
        assert (await acknowledge(site, {"X-CSRF-Token": "x"}, ALERT))[0] == 403

    @pytest.mark.parametrize("anonymous", ["read", "operate"])
    async def test_told_so_or_not_what_a_proxy_passes_on_is_not_local(
        self, site: Site, anonymous: str
    ) -> None:
        configure(site, anonymous=anonymous)
        assert await status(site, {}) == 200
        assert await status(site, {"X-Forwarded-For": "192.0.2.1"}) in (401, 403)
        configure(site, anonymous=anonymous, insecure=True, public_url="https://relay.example.com")
        assert await status(site, {"X-Forwarded-For": "192.0.2.1"}) == 200


class TestNamesOfOthers:
    """A page of another site can have its own name lead to our address: DNS rebinding."""

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "relay.example.com.evil.example"])
    async def test_they_get_nothing_from_who_is_let_in_without_a_secret(self, site: Site, host: str) -> None:
        ann = await log_in(site, await token(site, "ann"))
        assert await status(site, {**ann.reading, "Host": host}) == 421
        configure(site, trusted_proxy=PROXY)
        assert await status(site, {"X-Forwarded-User": "ann", "Host": host}) == 421
        configure(site, anonymous="read")
        assert await status(site, {"Host": host}) == 421
        assert await status(site, {"Host": host}, "/login") == 421

    async def test_nor_while_nothing_is_set_up(self, site: Site) -> None:
        configure(site)
        for host in ("evil.example", "192.0.2.7:8080"):
            assert await status(site, {"Host": host}) == 421
        for host in ("localhost", "127.0.0.1:1", "[::1]:8080"):
            assert await status(site, {"Host": host}) == 200

    async def test_whoever_bears_a_token_may_use_any(self, site: Site) -> None:
        assert await status(site, {**bearer(TOKEN), "Host": "relay.internal"}) == 200

    async def test_ours_are_the_public_one_that_of_the_settings_and_addresses(self, site: Site) -> None:
        ann = await log_in(site, await token(site, "ann"))
        configure(
            site, public_url="https://relay.example.com/", listen="relay.internal:8080", anonymous="off"
        )
        for host in ("relay.example.com", "RELAY.example.com:443", "relay.internal:8080", "192.0.2.7"):
            assert await status(site, {**ann.reading, "Host": host}) == 200


class TestListening:
    """Whether it may be listened where others get to."""

    @pytest.mark.parametrize(
        "server",
        [
            {},
            {"listen": "[::1]:8080"},
            {"listen": "localhost:8080"},
            {"listen": "127.8.8.8:8080"},
            {"listen": "0.0.0.0:8080", "api_token": "a-token-for-programs"},
            {"listen": "0.0.0.0:8080", "trusted_proxy": {"addresses": ["10.0.0.7"]}},
            {"listen": "0.0.0.0:8080", "insecure": True},
            {"listen": "0.0.0.0:8080", "insecure": True, "anonymous": "read"},
        ],
    )
    async def test_where_nobody_gets_or_somebody_can_log_in(self, site: Site, server: dict[str, Any]) -> None:
        await check_listening(ServerSettings.model_validate(server), site.store, site.clock.now())

    @pytest.mark.parametrize("listen", ["0.0.0.0:8080", "[::]:8080", "192.0.2.7:80", "relay.internal:8080"])
    async def test_not_elsewhere_until_there_is_a_token(self, site: Site, listen: str) -> None:
        server = ServerSettings(listen=listen)
        with pytest.raises(ConfigError, match="nobody can log in there; make a token"):
            await check_listening(server, site.store, site.clock.now())
        await token(site, "ann", expires_at=site.clock.now() + HOUR)
        await check_listening(server, site.store, site.clock.now())
        with pytest.raises(ConfigError):
            await check_listening(server, site.store, site.clock.now() + HOUR)


class TestWhatIsLocal:
    """Connections of other machines cannot be had in a test: their ends are made up here."""

    @pytest.mark.parametrize(
        ("ends", "local"),
        [
            (("127.0.0.1", "127.0.0.1"), True),
            (("::1", "::1"), True),
            (("::ffff:127.0.0.1", "::ffff:127.0.0.1"), True),
            (("192.0.2.7", "127.0.0.1"), False),
            (("127.0.0.1", "192.0.2.7"), False),
            (("::ffff:192.0.2.7", "::ffff:192.0.2.7"), False),
            (("fe80::1%eth0", "fe80::2%eth0"), False),
            ((None, None), False),
        ],
    )
    async def test_both_ends_have_to_be(
        self, site: Site, ends: tuple[str | None, str | None], local: bool
    ) -> None:
        request = connected(*ends)
        assert on_loopback(request) is local
        for server in ({}, {"anonymous": "read"}):
            configure(site, **server)
            if local:
                found = await site.access.principal(request)
                assert (found.name, found.scope, found.via) == ("local", Scope.READ, Via.LOCAL)
            else:
                with pytest.raises(RefusedError):
                    await site.access.principal(request)

    async def test_elsewhere_it_takes_an_explicit_word(self, site: Site) -> None:
        configure(site, listen="0.0.0.0:8080", anonymous="read", insecure=True)
        found = await site.access.principal(connected("192.0.2.9", "192.0.2.7"))
        assert found == Principal("local", Scope.READ, Via.LOCAL)


class Ends(asyncio.Transport):
    """A connection of which nothing is there but its ends."""

    def __init__(self, peer: str | None, own: str | None) -> None:
        super().__init__()
        self._ends = {"peername": peer, "sockname": own}

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        found = self._ends.get(name)
        return default if found is None else (found, 8080)


def connected(peer: str | None, own: str | None) -> web.Request:
    return make_mocked_request("GET", "/", {"Host": "localhost"}, transport=Ends(peer, own))
