"""The client against the imitation, whole and broken."""

import asyncio
import base64

import pytest
from aiohttp import web

from relay.http import Http, Route
from relay.msr import (
    BadAnswer,
    MsrError,
    NoAccess,
    NotMsr,
    PasswordRefused,
    Replica,
    Throttled,
    TokenRefused,
    Unreachable,
    Unwell,
)
from tests.support.clock import ManualClock

from .conftest import PASSWORD, Cluster

SECRETS = [PASSWORD, base64.b64encode(f"admin:{PASSWORD}".encode()).decode()]


def break_with(cluster: Cluster, *answers, path: str = "", replica: str = "") -> None:
    """The next requests to the path are answered so, the last answer over and over; each is a function."""
    left = list(answers)

    def interrupt(name, request):
        if path not in request.path or replica not in name:
            return None
        make = left.pop(0) if len(left) > 1 else left[0]
        return make() if make else None

    cluster.imitation.interrupt = interrupt


def say(status: int, text: str = "", **headers: str):
    return lambda: web.Response(
        status=status, text=text, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


async def every_method(msr):
    """Calls each method and gives the errors."""
    replica = msr.replicas[0]
    calls = {
        "ping": msr.ping(replica),
        "nginx_status": msr.nginx_status(replica),
        "cluster_status": msr.cluster_status(replica),
        "changefeed": msr.changefeed("0", 10),
        "repository": msr.changefeed("0", 10, "prod/app"),
        "newest": msr.newest(),
    }
    outcomes = {}
    for name, call in calls.items():
        try:
            outcomes[name] = await call
        except MsrError as error:
            outcomes[name] = error
    return outcomes


async def test_all_is_well(cluster):
    msr = cluster.client()
    outcomes = await every_method(msr)
    assert not [error for error in outcomes.values() if isinstance(error, MsrError)]
    assert (outcomes["ping"].healthy, outcomes["ping"].error) == (True, "")
    assert outcomes["cluster_status"].replica_health == {"r1": "OK", "r2": "OK", "r3": "OK"}
    assert outcomes["nginx_status"].accepts == 2


async def test_an_unhealthy_replica(cluster):
    cluster.imitation.fail_replica("r2", "metadata")
    ping = await cluster.client().ping(cluster.replicas[1])
    assert (ping.healthy, ping.error) == (False, "metadata")
    status = await cluster.client().cluster_status(cluster.replicas[0])
    assert status.replica_health == {"r1": "OK", "r2": "metadata", "r3": "OK"}


async def test_a_cluster_without_quorum(cluster):
    cluster.imitation.fail_replica("r2", "metadata")
    cluster.imitation.fail_replica("r3", "metadata")
    for outcome in (await every_method(cluster.client())).values():
        assert isinstance(outcome, Unwell)
        assert "internal server error (status 500)" in str(outcome)
        assert "quorum" in str(outcome)


async def test_health_on_older_versions_is_remembered(cluster):
    break_with(cluster, say(404), path="_ping")
    msr = cluster.client()
    for _ in range(2):
        assert (await msr.ping(cluster.replicas[0])).healthy
    assert cluster.paths() == ["/_ping", "/health", "/health"]
    break_with(cluster, say(404), path="/health")
    assert (await msr.ping(cluster.replicas[0])).healthy
    assert (await msr.ping(cluster.replicas[0])).healthy
    assert cluster.paths()[3:] == ["/health", "/_ping", "/_ping"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (say(200, "<html>"), BadAnswer),
        (say(200, "{}"), BadAnswer),
        (say(404), BadAnswer),
        (say(302, Location="https://login.example.com/secret"), BadAnswer),
        (say(500, "oops"), Unwell),
        (say(502, "<html>"), Unwell),
        (say(503, '{"errors":[]}'), Unwell),
    ],
)
async def test_pings_that_tell_nothing(cluster, answer, error):
    break_with(cluster, answer)
    with pytest.raises(error) as caught:
        await cluster.client().ping(cluster.replicas[0])
    assert "secret" not in str(caught.value)


async def test_nginx_status_may_want_an_administrator(cluster):
    seen = []

    def guarded(name, request):
        if request.path != "/nginx_status":
            return None
        seen.append("Authorization" in request.headers)
        return None if seen[-1] else web.Response(status=401)

    cluster.imitation.interrupt = guarded
    msr = cluster.client()
    for _ in range(2):
        assert (await msr.nginx_status(cluster.replicas[0])).active == 1
    assert seen == [False, True, True]
    with pytest.raises(NoAccess, match="set username and password"):
        await cluster.client(username="").nginx_status(cluster.replicas[0])


async def test_cluster_status_wants_an_administrator(cluster):
    with pytest.raises(
        NoAccess, match=r"user ci-bot .* administrator; .*clusters\[prod\].watch.cluster_status"
    ):
        await cluster.client("ci-bot", "ci").cluster_status(cluster.replicas[0])
    with pytest.raises(NoAccess, match="set username and password"):
        await cluster.client(username="").cluster_status(cluster.replicas[0])


@pytest.mark.parametrize("code", ["NOT_AUTHORIZED", "DENIED"])
async def test_a_401_that_means_403_locks_nothing(cluster, code):
    break_with(cluster, say(401, f'{{"errors":[{{"code":"{code}"}}]}}'), path="cluster_status")
    msr = cluster.client()
    for _ in range(2):
        with pytest.raises(NoAccess):
            await msr.cluster_status(cluster.replicas[0])
    await msr.changefeed("0", 1)


async def test_429_says_when_to_come_back(cluster):
    break_with(cluster, say(429, Retry_After="17"), path="changefeed")
    with pytest.raises(Throttled, match="lengthen the intervals") as caught:
        await cluster.client().changefeed("0", 1)
    assert caught.value.retry_after == 17


async def test_a_403_is_a_missing_right_too(cluster):
    break_with(cluster, say(403), path="changefeed")
    with pytest.raises(NoAccess, match="changefeed of prod/app"):
        await cluster.client().changefeed("0", 1, "prod/app")


LYING = "x" * 10_000 + "\x1b[31m"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (say(200, "<html>login</html>"), BadAnswer),
        (say(200, ""), BadAnswer),
        (say(200, '{"records": 5}'), BadAnswer),
        (say(200, '{"count": 1, "records": [{"ID"'), BadAnswer),
        (say(200, "[" * 100_000), BadAnswer),
        (say(200, '{"records": [' + "5" * 5000 + "]}"), BadAnswer),
        (say(204), BadAnswer),
        (say(301, Location="https://elsewhere.example.com/secret"), BadAnswer),
        (say(302, Location="/login"), BadAnswer),
        (say(307), BadAnswer),
        (say(400, LYING), BadAnswer),
        (say(400, f'{{"errors":[{{"code":"OTHER","message":"{LYING[:-5]}"}}]}}'), BadAnswer),
        (say(404), BadAnswer),
        (say(418, '{"errors": 5}'), BadAnswer),
        (say(500, '{"errors":[{"code":"UNKNOWN","message":"m","detail":"10.0.0.7:28015"}]}'), Unwell),
        (say(502, "<html><h1>502 Bad Gateway</h1></html>"), Unwell),
        (say(503), Unwell),
        (say(599), Unwell),
    ],
)
async def test_a_broken_changefeed(cluster, answer, error):
    break_with(cluster, answer, path="changefeed")
    with pytest.raises(error) as caught:
        await cluster.client().changefeed("0", 10)
    text = str(caught.value)
    assert text.startswith("http://127.0.0.1:")
    assert len(text) < 600
    assert text.isprintable()
    for secret in [*SECRETS, "/secret", "10.0.0.7"]:
        assert secret not in text


async def test_an_oversized_answer(cluster):
    break_with(cluster, say(200, " " * 2000 + '{"records":[]}'), path="changefeed")
    assert (await cluster.client(max_bytes=3000).changefeed("0", 1)).records == ()
    with pytest.raises(BadAnswer, match="longer than 1000 bytes"):
        await cluster.client(max_bytes=1000).changefeed("0", 1)


async def test_what_msr_says_is_shown_without_the_password(cluster):
    echo = f'{{"errors":[{{"code":"X","message":"{PASSWORD} {SECRETS[1]}"}}]}}'
    break_with(cluster, say(400, echo), path="auth/token")
    with pytest.raises(BadAnswer, match="X") as caught:
        await cluster.client().changefeed("0", 1)
    assert not [secret for secret in SECRETS if secret in str(caught.value)]


class TestTokens:
    async def test_are_cached_per_scope(self, cluster):
        msr = cluster.client()
        for _ in range(3):
            await msr.changefeed("0", 1)
            await msr.changefeed("0", 1, "prod/app")
        assert cluster.paths().count("/auth/token") == 2

    async def test_are_renewed_shortly_before_expiry(self, cluster, clock: ManualClock):
        msr = cluster.client()
        await msr.changefeed("0", 1)
        await clock.advance(269)
        await msr.changefeed("0", 1)
        assert cluster.paths().count("/auth/token") == 1
        await clock.advance(2)
        await msr.changefeed("0", 1)
        assert cluster.paths().count("/auth/token") == 2

    async def test_are_asked_for_once_however_many_wait(self, cluster):
        msr = cluster.client()
        await asyncio.gather(*(msr.changefeed("0", 1) for _ in range(20)))
        assert cluster.paths().count("/auth/token") == 1

    async def test_failing_is_shared_too(self, cluster):
        break_with(cluster, say(502), path="auth/token")
        msr = cluster.client()
        outcomes = await asyncio.gather(*(msr.changefeed("0", 1) for _ in range(20)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {Unwell}
        # Once at each replica.
        assert cluster.paths().count("/auth/token") == 3

    async def test_one_who_gives_up_takes_it_from_nobody(self, cluster):
        msr = cluster.client()
        tasks = [asyncio.create_task(msr.changefeed("0", 1)) for _ in range(2)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        assert (await tasks[1]).records == ()
        assert cluster.paths().count("/auth/token") == 1

    async def test_are_renewed_once_when_revoked(self, cluster):
        msr = cluster.client()
        await msr.changefeed("0", 1)
        cluster.imitation.revoke_tokens()
        await msr.changefeed("0", 1)
        assert cluster.paths().count("/auth/token") == 2

    async def test_that_never_work_end_as_an_error(self, cluster):
        break_with(cluster, say(401, WWW_Authenticate='Bearer error="invalid_token"'), path="changefeed")
        with pytest.raises(TokenRefused, match="clocks"):
            await cluster.client().changefeed("0", 1)
        assert cluster.paths().count("/auth/token") == 2

    async def test_without_the_right_are_not_renewed_but_asked_anew_the_next_time(self, cluster):
        msr = cluster.client("ci-bot", "ci")
        for _ in range(2):
            with pytest.raises(NoAccess):
                await msr.changefeed("0", 1)
        assert cluster.paths() == ["/auth/token", "/v2/_trust/changefeed"] * 2

    @pytest.mark.parametrize("text", ["<html>", "{}", '{"token": ""}', '{"token": "a\\r\\nX: y"}'])
    async def test_that_are_none(self, cluster, text):
        break_with(cluster, say(200, text), path="auth/token")
        with pytest.raises(BadAnswer):
            await cluster.client().changefeed("0", 1)

    async def test_may_be_refused_to_an_inactive_user(self, cluster):
        break_with(cluster, say(403), path="auth/token")
        with pytest.raises(NoAccess, match="account is active"):
            await cluster.client().changefeed("0", 1)


class TestPassword:
    async def test_is_not_tried_again_for_five_minutes_then_ten(self, cluster, clock):
        msr = cluster.client(password="wrong")
        for minutes in (5, 10, 20, 40, 60, 60):
            cluster.requests.clear()
            with pytest.raises(PasswordRefused, match=r"correct clusters\[prod\].username") as caught:
                await msr.changefeed("0", 1)
            assert (caught.value.until - clock.now()).total_seconds() == minutes * 60
            await clock.advance(minutes * 60 - 1)
            for call in (
                msr.cluster_status(cluster.replicas[2]),
                msr.changefeed("0", 1, "prod/app"),
                msr.newest(),
            ):
                with pytest.raises(PasswordRefused):
                    await call
            assert len(cluster.requests) == 1
            await clock.advance(1)

    async def test_what_needs_none_goes_on(self, cluster):
        msr = cluster.client(password="wrong")
        with pytest.raises(PasswordRefused):
            await msr.changefeed("0", 1)
        assert (await msr.ping(cluster.replicas[0])).healthy
        assert (await msr.nginx_status(cluster.replicas[0])).active

    async def test_many_at_once_try_it_once(self, cluster, clock):
        msr = cluster.client(password="wrong")
        for _ in range(2):
            cluster.requests.clear()
            calls = [msr.changefeed("0", 1, f"prod/{n}") for n in range(10)]
            calls += [msr.cluster_status(replica) for replica in cluster.replicas]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {PasswordRefused}
            assert len(cluster.requests) == 1
            await clock.advance(600)

    async def test_changed_while_many_use_it_counts_once(self, cluster, clock):
        msr = cluster.client()
        await msr.cluster_status(cluster.replicas[0])
        break_with(cluster, say(401))
        calls = [msr.cluster_status(replica) for replica in cluster.replicas]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [(outcome.until - clock.now()).total_seconds() for outcome in outcomes] == [300] * 3

    async def test_that_works_again_ends_it(self, cluster, clock):
        break_with(cluster, say(401), None)
        msr = cluster.client()
        with pytest.raises(PasswordRefused):
            await msr.cluster_status(cluster.replicas[0])
        await clock.advance(300)
        await msr.cluster_status(cluster.replicas[0])
        break_with(cluster, say(401))
        with pytest.raises(PasswordRefused) as caught:
            await msr.cluster_status(cluster.replicas[0])
        assert (caught.value.until - clock.now()).total_seconds() == 300

    async def test_an_outage_proves_nothing_about_it(self, cluster, clock):
        break_with(cluster, say(401), say(502))
        msr = cluster.client()
        with pytest.raises(PasswordRefused):
            await msr.cluster_status(cluster.replicas[0])
        await clock.advance(300)
        with pytest.raises(Unwell):
            await msr.cluster_status(cluster.replicas[0])
        break_with(cluster, say(401))
        with pytest.raises(PasswordRefused) as caught:
            await msr.cluster_status(cluster.replicas[0])
        assert (caught.value.until - clock.now()).total_seconds() == 600


class TestEntry:
    async def test_a_dead_one_is_passed_over_and_remembered(self, cluster, unused_tcp_port):
        msr = cluster.client(entry=f"http://127.0.0.1:{unused_tcp_port}/")
        for _ in range(2):
            await msr.changefeed("0", 1)
        assert {name for name, _ in cluster.requests} == {"r1"}

    async def test_an_unwell_one_too(self, cluster):
        break_with(cluster, say(502), replica="r1")
        msr = cluster.client()
        for _ in range(2):
            await msr.changefeed("0", 1)
        assert [name for name, _ in cluster.requests] == ["r1", "r2", "r2", "r2"]

    async def test_when_all_are_dead_the_first_one_s_words_count(self, cluster, unused_tcp_port):
        dead = f"http://127.0.0.1:{unused_tcp_port}"
        break_with(cluster, say(502))
        msr = cluster.client(entry=dead)
        with pytest.raises(Unreachable, match="connection refused"):
            await msr.changefeed("0", 1)

    async def test_a_refusal_is_final(self, cluster):
        with pytest.raises(NoAccess):
            await cluster.client("ci-bot", "ci").changefeed("0", 1)
        assert {name for name, _ in cluster.requests} == {"r1"}


class TestNewest:
    async def test_is_found_the_other_way(self, cluster, clock):
        cluster.imitation.sign("prod/app")
        await clock.advance(61)
        # A version that takes `-1` only.
        cluster.imitation.interrupt = lambda name, request: (
            web.Response(text='{"count":0,"records":[]}') if "records=-1" in request.query_string else None
        )
        newest = await cluster.client().newest()
        assert newest.gun == f"{cluster.host}/prod/app"

    async def test_a_feed_that_hides_it_is_not_called_empty(self, cluster, clock):
        cluster.imitation.sign("prod/app")
        await clock.advance(61)
        cluster.imitation.interrupt = lambda name, request: (
            web.Response(text='{"count":0,"records":[]}') if "-1" in request.query_string else None
        )
        with pytest.raises(BadAnswer, match="does not show its newest"):
            await cluster.client().newest()


class TestRecognise:
    async def test_msr(self, cluster):
        await cluster.client().recognise(cluster.replicas[0])
        cluster.imitation.fail_replica("r2", "storage")
        await cluster.client().recognise(cluster.replicas[1])

    @pytest.mark.parametrize(
        ("pages", "words"),
        [
            (
                {
                    "/api/v2.0/ping": web.json_response("Pong"),
                    "/api/v2.0/systeminfo": web.json_response({"harbor_version": "v2.11.0\x1b"}),
                },
                "this is Harbor v2.11.0\ufffd, on which MSR 4 is built",
            ),
            ({"/api/v2.0/ping": web.Response(text="Pong")}, "this is Harbor, on which"),
            (
                {
                    "/v2/": web.Response(
                        status=401, headers={"Docker-Distribution-Api-Version": "registry/2.0"}
                    )
                },
                "a container registry, but not MSR",
            ),
            ({}, "some other web server"),
        ],
    )
    async def test_something_else(self, http, serve, clock, pages, words):
        async def answer(request):
            made = pages.get(request.path) or web.Response(text="<html>portal</html>")
            return web.Response(status=made.status, headers=made.headers, body=made.body)

        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        cluster = Cluster(http, clock, None)
        cluster.replicas = [Replica("r1", await serve(app))]
        with pytest.raises(NotMsr) as caught:
            await cluster.client().recognise(cluster.replicas[0])
        assert words in str(caught.value)

    async def test_nothing(self, cluster, unused_tcp_port):
        with pytest.raises(Unreachable):
            await cluster.client().recognise(Replica("x", f"http://127.0.0.1:{unused_tcp_port}"))


async def test_a_guarded_route_reaches_no_private_cluster(http: Http, cluster: Cluster, clock):
    msr = cluster.client(route=Route())
    with pytest.raises(Unreachable, match="allow_private"):
        await msr.ping(cluster.replicas[0])
