"""What is posted to a relay's hooks is told by it, and answered only once that is certain."""

import asyncio
import io
import json
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from relay.hooks import read
from relay.server.hooks import BODY_BYTES
from tests.acceptance.imitated import Cluster
from tests.acceptance.in_process import Running, running
from tests.acceptance.told import told, webhook
from tests.hooks.posts import IMAGE, SECRET, alert, body, group, posted
from tests.real.webhooks import Receiver
from tests.support.clock import ManualClock

MSR, ALERTS = "/hooks/prod-msr", "/hooks/prod-alerts"
HOOKS = [
    {"name": "prod-msr", "kind": "msr", "cluster": "prod", "secret": SECRET},
    {"name": "prod-alerts", "kind": "alertmanager", "cluster": "prod", "secret": SECRET},
]
EVERYTHING = [{"name": "everything", "channels": ["soc"]}]


@dataclass
class Post:
    """Posts to a relay."""

    relay: Running
    session: aiohttp.ClientSession

    async def __call__(
        self, path: str, document: Any, secret: str | None = SECRET, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        bearer = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        sent = document if isinstance(document, bytes) else body(document)
        url = f"http://127.0.0.1:{self.relay.app.port}{path}"
        async with self.session.post(url, data=io.BytesIO(sent), headers={**bearer, **headers}) as answer:
            kinds = ("application/json", "application/problem+json")
            assert answer.content_type == kinds[answer.status >= 400]
            return answer.status, await answer.json(content_type=None)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.relay.folder / "relay.db")) as connection, connection:
            return connection.execute(query).fetchall()

    def events(self) -> list[tuple[str, str]]:
        """Type and status of everything the store has, in order."""
        return [(row[0], row[1]) for row in self.rows("SELECT type, status FROM events ORDER BY seq")]


@dataclass
class World:
    """A cluster that nothing is read of, and a receiver of everything."""

    folder: Path
    cluster: Cluster
    receiver: Receiver

    def settings(self, **more: Any) -> dict[str, Any]:
        return {
            "clusters": [self.cluster.settings(watch={})],
            "channels": [webhook(self.receiver, "soc")],
            "rules": EVERYTHING,
            "hooks": HOOKS,
            **more,
        }

    @asynccontextmanager
    async def relay(self, clock: ManualClock | None = None, **more: Any) -> AsyncIterator[Post]:
        settings = self.settings(**more)
        async with running(self.folder, settings, clock) as relay, aiohttp.ClientSession() as session:
            yield Post(relay, session)


@pytest.fixture
def world(tmp_path: Path, cluster: Cluster, webhooks: Receiver) -> World:
    return World(tmp_path, cluster, webhooks)


async def heard(post: Post, receiver: Receiver, count: int) -> list[tuple[str, str]]:
    """Type and status of everything that was told, once there is so much of it."""
    await post.relay.until(lambda: len(told(receiver)) >= count, f"{count} messages came")
    return [(each.type, each.status) for each in told(receiver)]


async def test_what_msr_posts_is_told_once(world: World) -> None:
    async with world.relay() as post:
        assert await post(f"{MSR}/{SECRET}", posted("REPO_DELETED"), None) == (200, {"taken": 1})
        assert await post(MSR, posted("REPO_DELETED")) == (200, {"taken": 1})
        assert await post(MSR, posted("TAG_SEALED")) == (200, {"taken": 1})
        found = await heard(post, world.receiver, 2)
        assert sorted(found) == [("msr.event", "event"), ("msr.repo_deleted", "event")]
        (deleted,) = [each for each in told(world.receiver) if each.type == "msr.repo_deleted"]
        assert (deleted.name, deleted.data["cluster"]) == ("prod/app", "prod")
        assert deleted.data["details"]["contents"] == IMAGE
        # What was repeated is not even in the store.
        assert len(post.events()) == 2


async def test_alerts_fire_and_resolve_across_a_restart(world: World) -> None:
    async with world.relay() as post:
        assert (await post(ALERTS, group(alert("A"), alert("B"))))[0] == 200
        assert len(await heard(post, world.receiver, 2)) == 2
        clock = post.relay.clock
    async with world.relay(clock) as post:
        assert (await post(ALERTS, group(alert("A"), alert("B", "resolved"))))[0] == 200
        assert (await heard(post, world.receiver, 3))[2:] == [("alertmanager.alert", "resolved")]
        last = told(world.receiver)[-1]
        assert last.data["details"]["name"] == "B"
        assert last.data["labels"]["alertname"] == "B"


async def test_alerts_of_a_hook_that_is_removed_end(world: World) -> None:
    async with world.relay() as post:
        await post(ALERTS, group(alert()))
        await heard(post, world.receiver, 1)
        post.relay.configure(world.settings(hooks=HOOKS[:1]))
        post.relay.app.reloading.set()
        await heard(post, world.receiver, 2)
        last = told(world.receiver)[-1]
        assert (last.status, last.data["details"]["ended_because"]) == ("resolved", "no longer watched")
        assert (await post(ALERTS, group(alert())))[0] == 401


async def test_an_unreachable_cluster_does_not_hide_what_others_tell_of_it(world: World) -> None:
    watched = world.cluster.settings(watch={"ping": "10s"}, failures=1)
    async with world.relay(clusters=[watched]) as post:
        world.cluster.stop()
        await post.relay.until(
            lambda: any(each.type == "watch.failing" for each in told(world.receiver)), "it is unreachable"
        )
        await post(ALERTS, group(alert()))
        await post.relay.until(
            lambda: any(each.type == "alertmanager.alert" for each in told(world.receiver)), "it is told"
        )


class TestSecrets:
    @pytest.mark.parametrize(
        ("path", "secret"),
        [
            (MSR, "wrong-but-long-enough"),
            (f"{MSR}/wrong-but-long-enough", None),
            (f"{MSR}/wrong-but-long-enough", SECRET),
            (f"{MSR}/%F0%9F%94%A5", None),
            ("/hooks/nothing", SECRET),
            (f"/hooks/nothing/{SECRET}", None),
        ],
    )
    async def test_wrong_ones(self, world: World, path: str, secret: str | None) -> None:
        async with world.relay() as post:
            status, said = await post(path, posted("TAG_PUSH"), secret)
            assert (status, said["status"], "secret" in said["detail"]) == (401, 401, True)
            assert post.events() == []

    async def test_none(self, world: World) -> None:
        async with world.relay() as post:
            status, said = await post(MSR, posted("TAG_PUSH"), None)
            assert (status, "/hooks/NAME/SECRET" in said["detail"]) == (401, True)
            assert (await post(MSR, posted("TAG_PUSH"), None, Authorization="Basic YTpi"))[0] == 401

    async def test_guessing_is_limited_and_locks_nobody_out(self, world: World) -> None:
        async with world.relay() as post:
            found = [(await post(MSR, b"", f"wrong-number-{n:04}"))[0] for n in range(31)]
            assert found == [401] * 30 + [429]
            assert (await post(MSR, posted("TAG_PUSH")))[0] == 200

    async def test_none_is_ever_logged(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        async with world.relay() as post:
            await post(f"{MSR}/{SECRET}", b"{", None)
            await post(f"{MSR}/wrong-but-long-enough", b"{", None)
            logged = "".join(capsys.readouterr())
            assert "cannot be understood" in logged
            assert "a post was refused" in logged
            assert SECRET not in logged
            assert "wrong-but-long-enough" not in logged
            dump = json.dumps(post.rows("SELECT * FROM events"), default=str)
            assert "hook.unreadable" in dump
            assert SECRET not in dump


class TestWhatCannotBeTaken:
    @pytest.mark.parametrize(
        ("sent", "headers", "status", "why"),
        [
            (b"payload=1", {}, 422, "it is no JSON"),
            (b"[]", {}, 422, "it is no JSON object"),
            (b"{}", {}, 422, 'it has no "type"'),
            (b"x" * (BODY_BYTES + 1), {}, 413, "too long"),
            (b"x", {"Content-Encoding": "gzip"}, 415, "not compressed"),
        ],
    )
    async def test_it_is_told_once_an_hour(
        self, world: World, sent: bytes, headers: dict[str, str], status: int, why: str
    ) -> None:
        async with world.relay() as post:
            for _ in range(3):
                found, said = await post(MSR, sent, **headers)
                assert (found, why in said["detail"]) == (status, True)
            assert await heard(post, world.receiver, 1) == [("hook.unreadable", "event")]
            assert why in told(world.receiver)[0].data["details"]["reason"]
            assert post.events() == [("hook.unreadable", "event")]

    async def test_a_post_of_as_much_as_is_allowed_is_taken(self, world: World) -> None:
        fill = BODY_BYTES - len(body(posted("TAG_PUSH", {**IMAGE, "x": ""})))
        sent = body(posted("TAG_PUSH", {**IMAGE, "x": "y" * fill}))
        assert len(sent) == BODY_BYTES
        async with world.relay() as post:
            assert (await post(MSR, sent))[0] == 200

    async def test_any_content_type_will_do(self, world: World) -> None:
        async with world.relay() as post:
            sent = await post(MSR, posted("TAG_PUSH"), **{"Content-Type": "text/plain; charset=utf-8"})
            assert sent[0] == 200

    async def test_other_methods(self, world: World) -> None:
        async with world.relay() as post:
            url = f"http://127.0.0.1:{post.relay.app.port}{MSR}"
            async with post.session.get(url) as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_what_cannot_be_kept_is_not_taken_and_comes_again(world: World) -> None:
    async with world.relay() as post:
        post.rows("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        for path, document in ((MSR, posted("TAG_PUSH")), (ALERTS, group(alert())), (MSR, b"{}")):
            status, said = await post(path, document)
            assert (status, "Try again" in said["detail"]) == (503, True)
        assert post.events() == []
        post.rows("DROP TRIGGER full")
        assert (await post(MSR, posted("TAG_PUSH")))[0] == 200
        assert (await post(ALERTS, group(alert())))[0] == 200
        assert (await post(MSR, b"{}"))[0] == 422
        assert [each for each in post.events() if each[0] != "store.failing"] == [
            ("msr.tag_push", "event"),
            ("alertmanager.alert", "firing"),
            ("hook.unreadable", "event"),
        ]


class Recording(ThreadPoolExecutor):
    """Threads of a loop, and what was done in them."""

    def __init__(self) -> None:
        super().__init__(4)
        self.done: list[Any] = []

    def submit(self, task: Any, /, *given: Any, **named: Any) -> Future[Any]:
        self.done += getattr(task, "args", ())
        return super().submit(task, *given, **named)


async def test_the_group_of_a_mass_outage_is_taken_and_read_aside(world: World) -> None:
    threads = Recording()
    asyncio.get_running_loop().set_default_executor(threads)
    told = {"summary": "s" * 200, "description": "d" * 2000}
    many = [
        alert(f"Alert{number}", labels={"alertname": f"Alert{number}"}, annotations=told)
        for number in range(1000)
    ]
    async with world.relay() as post:
        assert (await post(ALERTS, group(*many[:5])))[0] == 200
        assert read not in threads.done
        assert len(body(group(*many))) > 2 * 1024 * 1024
        assert await post(ALERTS, group(*many)) == (200, {"taken": 1000})
        assert threads.done.count(read) == 1
        assert len(post.events()) == 1000
        # The errors of a thread are told as others.
        status, said = await post(ALERTS, b"[" * 100_000)
        assert (status, "it is no JSON" in said["detail"]) == (422, True)


async def test_what_was_not_taken_of_a_post_is_logged_though_it_is_told_once_an_hour(world: World) -> None:
    async with world.relay() as post:
        with capture_logs() as lines:
            for document in (group(5), group(alert(), truncatedAlerts=7)):
                assert (await post(ALERTS, document))[0] == 200
        said = [line["reason"] for line in lines if "not all that was posted" in line["event"]]
        assert ["is no object" in said[0], "left 7 alerts out" in said[1]] == [True, True]
        assert [each for each in post.events() if each[0] == "hook.unreadable"] == [
            ("hook.unreadable", "event")
        ]


async def test_a_whole_group_of_alerts_is_taken_at_once(world: World) -> None:
    many = [alert(f"Alert{number}", labels={"alertname": f"Alert{number}"}) for number in range(500)]
    async with world.relay() as post:
        assert await post(ALERTS, group(*many)) == (200, {"taken": 500})
        assert len(post.events()) == 500
