"""What becomes of real actions of the real notary client: told, recognised, and what was lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from relay.model.evidence import Entry
from relay.model.trust import trust_key
from relay.store import Filter, Stretch
from tests.real.fixtures import MakeMsr
from tests.real.msr import Msr as RealMsr
from tests.real.tokens import User
from tests.support.clock import ManualClock
from tests.trust.people import Delegate

from .relayed import Relayed, of_type, relayed

pytestmark = pytest.mark.real("notary")


def settings(msr: RealMsr, **more: Any) -> dict[str, Any]:
    cluster = {
        "name": "prod",
        "url": msr.url,
        "username": msr.admin.name,
        "password": msr.admin.password,
        "ca_file": str(msr.pki.ca_file),
        "watch": {"changefeed": {"start": "beginning"}, "trust": {"rate": 1000}},
    }
    return {
        "clusters": [cluster | more],
        "channels": [{"name": "log", "kind": "console"}],
        "rules": [{"name": "all", "match": {}, "channels": ["log"]}],
    }


@pytest.fixture
async def msr(make_msr: MakeMsr) -> AsyncIterator[RealMsr]:
    made = await asyncio.to_thread(make_msr)
    yield made
    await asyncio.to_thread(made.close)


@pytest.fixture
async def relay(msr: RealMsr, tmp_path: Path) -> AsyncIterator[Relayed]:
    async with relayed(tmp_path, settings(msr), ManualClock(datetime.now(UTC))) as found:
        await found.look()
        yield found


async def sign(msr: RealMsr, repository: str, tag: str, content: str = "") -> None:
    await asyncio.to_thread(msr.sign, repository, tag, (content or tag).encode())


async def run(msr: RealMsr, *arguments: str) -> str:
    return await asyncio.to_thread(msr.client.run, *arguments)


async def notary_list(msr: RealMsr, repository: str) -> dict[str, str]:
    return await asyncio.to_thread(msr.client.list, msr.gun(repository))


def tags(listed: list[dict[str, Any]]) -> dict[str, str]:
    return {each["tag"]: each["sha256"] for each in listed}


async def test_a_deletion_lists_what_notary_listed_before(msr: RealMsr, relay: Relayed) -> None:
    for tag in ("1.0", "1.1", "latest"):
        await sign(msr, "prod/app", tag)
    await relay.look()
    assert [event.summary for event in await relay.news()] == [
        "Trust data of prod/app was updated to version 1",
        "prod/app: signed 1.0 (version 2)",
        "prod/app: signed 1.1 (version 3)",
        "prod/app: signed latest (version 4)",
    ]
    listed = await notary_list(msr, "prod/app")
    await asyncio.to_thread(msr.delete, "prod/app")
    await relay.look()
    [deleted] = await relay.news()
    assert deleted.type == "trust.deleted"
    lost = deleted.details["lost"]
    assert tags(lost["tags"]) == listed
    assert len(listed) == 3
    assert lost["exact"] is True
    assert lost["version"] == 4
    assert deleted.details["first_in_namespace"] is True


async def test_updates_that_wait_are_told_before_the_deletion(msr: RealMsr, relay: Relayed) -> None:
    await sign(msr, "prod/app", "1.0")
    await relay.look("changefeed")
    assert await relay.news() == []
    await asyncio.to_thread(msr.delete, "prod/app")
    await relay.look()
    told = await relay.news()
    assert [event.type for event in told] == ["trust.updated", "trust.updated", "trust.deleted"]
    assert told[1].details["unexamined"] == "it was deleted before it could be examined"
    assert told[2].details["lost"] is None
    assert told[2].details["lost_unknown"] == "the relay had not examined it yet"


async def test_a_tag_that_moves_and_one_that_goes(msr: RealMsr, relay: Relayed) -> None:
    await sign(msr, "prod/app", "1.0")
    await sign(msr, "prod/app", "latest", "old")
    await relay.look()
    await relay.news()
    before = await notary_list(msr, "prod/app")
    await run(msr, "remove", msr.gun("prod/app"), "1.0", "-p")
    await sign(msr, "prod/app", "latest", "new")
    await relay.look()
    told = await relay.news()
    after = await notary_list(msr, "prod/app")
    [removed] = of_type(told, "trust.tag_removed")
    assert tags(removed.details["tags"]) == {"1.0": before["1.0"]}
    assert removed.details["left"] == 1
    [moved] = of_type(told, "trust.tag_moved")
    [item] = moved.details["tags"]
    assert (item["tag"], item["before"], item["after"]) == ("latest", before["latest"], after["latest"])


async def test_a_read_that_renews_an_expired_timestamp_is_told_apart(msr: RealMsr, relay: Relayed) -> None:
    await sign(msr, "prod/app", "1.0")
    await relay.look()
    await relay.news()
    msr.notary.expire_timestamp(msr.gun("prod/app"))
    await notary_list(msr, "prod/app")
    await relay.look()
    [renewed] = await relay.news()
    assert renewed.type == "trust.resigned"
    assert renewed.summary == "The server renewed the expired timestamp of prod/app: nobody signed"


async def test_the_relay_never_makes_the_server_write(msr: RealMsr, relay: Relayed) -> None:
    for repository in ("prod/a", "prod/b"):
        await sign(msr, repository, "1.0")
        msr.notary.expire_timestamp(msr.gun(repository))
    records = msr.notary.sql("SELECT count(*) FROM changefeed")
    files = msr.notary.sql("SELECT count(*) FROM tuf_files")
    for _ in range(3):
        await relay.look()
        await relay.clock.advance(25 * 3600)
    kept = [line for line in msr.replicas[0].requests.items if "/_trust/tuf/" in line]
    assert len(kept) > 8
    assert msr.notary.sql("SELECT count(*) FROM changefeed") == records
    assert msr.notary.sql("SELECT count(*) FROM tuf_files") == files


async def test_a_repository_that_begins_again_under_other_keys(msr: RealMsr, relay: Relayed) -> None:
    await sign(msr, "prod/app", "1.0")
    await relay.look()
    await asyncio.to_thread(msr.delete, "prod/app")
    await relay.look()
    await relay.news()
    mallory = msr.users["mallory"] = User("mallory", "mallory's password", admin=True)
    other = await asyncio.to_thread(msr.client_for, mallory)
    await asyncio.to_thread(other.sign, msr.gun("prod/app"), "1.0", b"evil")
    await relay.look()
    [anew] = of_type(await relay.news(), "trust.reinitialized")
    assert anew.severity == "critical"
    assert anew.details["signed_by_old_root"] is False
    assert anew.details["deleted_at"] is not None
    assert set(anew.details["root_keys"]).isdisjoint(anew.details["former_root_keys"])


async def test_what_vanished_without_a_record(msr: RealMsr, tmp_path: Path) -> None:
    never = {"time_intervals": {"never": [{"years": ["1999"]}]}}
    made = settings(msr, change_windows=["never"]) | never
    async with relayed(tmp_path, made, ManualClock(datetime.now(UTC))) as relay:
        await relay.look()
        await vanish(msr, relay)


async def vanish(msr: RealMsr, relay: Relayed) -> None:
    await sign(msr, "prod/app", "1.0")
    await relay.look()
    await relay.news()
    msr.notary.sql("DELETE FROM tuf_files WHERE gun = %s", msr.gun("prod/app"))
    for _ in range(3):
        await relay.clock.advance(25 * 3600)
        await relay.look()
        await relay.clock.advance(180)
        await relay.look()
    [gone] = of_type(await relay.news(), "trust.deleted")
    assert gone.details["found_by"] == "reconciliation"
    # When it happened is not known, so neither is whether that was expected.
    assert gone.details["outside_change_window"] is None
    assert [each["tag"] for each in gone.details["lost"]["tags"]] == ["1.0"]


async def test_trust_data_that_was_tampered_with(msr: RealMsr, relay: Relayed) -> None:
    await sign(msr, "prod/app", "1.0")
    await relay.look("changefeed")
    gun = msr.gun("prod/app")
    newest = "gun = %s AND role = 'targets' ORDER BY version DESC LIMIT 1"
    [(row, data)] = msr.notary.sql(f"SELECT id, data FROM tuf_files WHERE {newest}", gun)
    msr.notary.sql("UPDATE tuf_files SET data = %s WHERE id = %s", bytes(data).replace(b"1.0", b"1.1"), row)
    await relay.look("trust")
    told = await relay.news()
    [broken] = of_type(told, "trust.invalid")
    assert broken.details["role"] == "targets"
    assert broken.details["reason"] == "it is not the file that its hash names"
    assert not [
        event
        for event in of_type(told, "trust.updated")
        if event.details["version"] == 2 and event.details["examined"]
    ]
    msr.notary.sql("UPDATE tuf_files SET data = %s WHERE id = %s", bytes(data), row)
    # It remembers what it has served by its hash.
    await asyncio.to_thread(msr.notary.stop)
    await asyncio.to_thread(msr.notary.start)
    await relay.clock.advance(3600)
    await relay.look("trust")
    assert [event.status for event in of_type(await relay.news(), "trust.invalid")] == ["resolved"]


async def test_signers_and_what_they_signed(msr: RealMsr, relay: Relayed, tmp_path: Path) -> None:
    gun = msr.gun("prod/app")
    await sign(msr, "prod/app", "1.0")
    await relay.look()
    await relay.news()
    alice = await asyncio.to_thread(Delegate, msr, tmp_path, "alice")
    await run(msr, "delegation", "add", gun, alice.role, str(alice.file), "--all-paths", "-p")
    await relay.look()
    [added] = of_type(await relay.news(), "trust.signer_added")
    [signer] = added.details["signers"]
    assert signer["role"] == "targets/alice"
    # By the id that people see.
    assert signer["keys"][0] in await run(msr, "delegation", "list", gun)
    image = tmp_path / "image"
    image.write_bytes(b"alice's")
    await run(msr, "add", gun, "2.0", str(image), "-r", alice.role, "-p")
    await relay.look()
    [updated] = await relay.news()
    assert updated.details["signed_by"] == ["targets/alice"]
    assert [(each["tag"], each["role"]) for each in updated.details["signed"]] == [("2.0", "targets/alice")]
    await run(msr, "delegation", "remove", gun, alice.role, "-y", "-p")
    await relay.look()
    told = await relay.news()
    assert [event.type for event in told] == ["trust.updated", "trust.signer_removed", "trust.tag_removed"]
    assert told[1].details["signers"][0]["keys"] == signer["keys"]
    listed = await notary_list(msr, "prod/app")
    await asyncio.to_thread(msr.delete, "prod/app")
    await relay.look()
    [deleted] = await relay.news()
    assert tags(deleted.details["lost"]["tags"]) == listed


async def test_rotated_keys(msr: RealMsr, relay: Relayed) -> None:
    await sign(msr, "prod/app", "1.0")
    await relay.look()
    await relay.news()
    await run(msr, "key", "rotate", msr.gun("prod/app"), "targets")
    await relay.look()
    [rotated] = of_type(await relay.news(), "trust.root_rotated")
    [role] = rotated.details["rotated"]
    assert (role["role"], len(role["added"]), len(role["removed"])) == ("targets", 1, 1)
    assert role["added"][0] in await run(msr, "key", "list")
    assert rotated.details["root_version"] == 2


async def test_the_same_root_key_begins_again(msr: RealMsr, relay: Relayed) -> None:
    await sign(msr, "prod/app", "1.0")
    await relay.look()
    await asyncio.to_thread(msr.delete, "prod/app")
    await relay.look()
    await relay.news()
    await sign(msr, "prod/app", "1.0")
    await relay.look()
    told = await relay.news()
    [anew] = of_type(told, "trust.reinitialized")
    assert (anew.severity, anew.details["signed_by_old_root"]) == ("warning", True)
    assert anew.details["root_keys"] == anew.details["former_root_keys"]
    assert not of_type(told, "trust.version_regressed")


async def test_a_database_that_was_set_back(msr: RealMsr, relay: Relayed) -> None:
    gun = msr.gun("prod/app")
    for tag in ("1.0", "1.1"):
        await sign(msr, "prod/app", tag)
    await relay.look()
    await relay.news()
    files = "gun = %s AND role = 'timestamp'"
    [(version, digest)] = msr.notary.sql(
        f"SELECT version, sha256 FROM tuf_files WHERE {files} ORDER BY version DESC OFFSET 1 LIMIT 1", gun
    )
    msr.notary.sql(
        "DELETE FROM tuf_files WHERE gun = %s AND role = 'timestamp' AND version > %s", gun, version
    )
    msr.notary.add_record(gun, "update", version=version, sha256=digest)
    await relay.look()
    [regressed] = of_type(await relay.news(), "trust.version_regressed")
    roles = {each["role"]: each["before"] - each["after"] for each in regressed.details["regressed"]}
    assert roles == {"targets": 1, "snapshot": 1, "timestamp": 1}


async def test_what_expires_is_told_in_time(msr: RealMsr, relay: Relayed) -> None:
    await sign(msr, "prod/app", "1.0")
    await relay.look()
    await relay.news()
    clock = relay.clock
    days = 1095 - 31
    await clock.advance(days * 86400)
    await relay.look("trust")
    assert of_type(await relay.news(), "trust.expiring") == []
    await clock.advance(2 * 86400)
    await relay.look("trust")
    [soon] = of_type(await relay.news(), "trust.expiring")
    assert (soon.status, soon.severity) == ("firing", "warning")
    assert (soon.details["role"], soon.details["expired"]) == ("targets", False)
    await clock.advance(31 * 86400)
    await relay.look("trust")
    told = of_type(await relay.news(), "trust.expiring")
    worse = {event.details["role"]: (event.status, event.severity) for event in told}
    assert worse == {"targets": ("firing", "error"), "snapshot": ("firing", "error")}
    await asyncio.to_thread(msr.delete, "prod/app")
    await relay.look("changefeed")
    await clock.advance(61)
    await relay.look("trust")
    ended = of_type(await relay.news(), "trust.expiring")
    assert [event.status for event in ended] == ["resolved", "resolved"]


async def test_what_was_there_before_the_relay(msr: RealMsr, tmp_path: Path) -> None:
    for repository in ("prod/a", "prod/b", "lab/c"):
        await sign(msr, repository, "1.0")
    await asyncio.to_thread(msr.delete, "lab/c")
    watch = {"watch": {"trust": {"rate": 1000}}}
    async with relayed(tmp_path, settings(msr, **watch), ManualClock(datetime.now(UTC))) as relay:
        for _ in range(3):
            await relay.look()
        assert await relay.news() == []
        for repository in ("prod/a", "prod/b"):
            await asyncio.to_thread(msr.delete, repository)
        await relay.look()
        first, second = await relay.news()
    assert [each["tag"] for each in first.details["lost"]["tags"]] == ["1.0"]
    assert first.details["lost"]["exact"] is True
    assert (first.details["first_in_namespace"], second.details["first_in_namespace"]) == (True, False)


async def test_change_windows(msr: RealMsr, tmp_path: Path) -> None:
    moment = datetime.now(UTC)
    inside = {"weekdays": ["monday:sunday"]}
    outside = {"years": ["1999"]}
    await sign(msr, "prod/app", "1.0")
    await asyncio.to_thread(msr.delete, "prod/app")
    found = {}
    for name, interval in (("inside", inside), ("outside", outside)):
        folder = tmp_path / name
        folder.mkdir()
        made = settings(msr, change_windows=["changes"]) | {"time_intervals": {"changes": [interval]}}
        async with relayed(folder, made, ManualClock(moment)) as relay:
            for _ in range(2):
                await relay.look("changefeed")
            [deleted] = of_type(await relay.news(), "trust.deleted")
            found[name] = deleted.details["outside_change_window"]
    assert found == {"inside": False, "outside": True}


async def test_a_server_that_does_not_answer_delays_an_update_only_so_long(
    msr: RealMsr, relay: Relayed
) -> None:
    await sign(msr, "prod/app", "1.0")
    await relay.look("changefeed")
    msr.replicas[0].interrupt = lambda request: (
        web.Response(status=502, text="<html>") if "/_trust/tuf/" in request.path else None
    )
    await relay.look("trust")
    assert of_type(await relay.news(), "trust.updated") == []
    await relay.clock.advance(61)
    await relay.intake.pass_time(relay.clock.now())
    told = of_type(await relay.news(), "trust.updated")
    assert [event.details["version"] for event in told] == [1, 2]
    assert all(event.details["unexamined"] for event in told)
    msr.replicas[0].interrupt = None
    await relay.look("trust")
    await asyncio.to_thread(msr.delete, "prod/app")
    await relay.look()
    [deleted] = of_type(await relay.news(), "trust.deleted")
    assert deleted.details["lost"]["exact"] is True


async def test_answers_that_are_too_large_are_an_alert(msr: RealMsr, relay: Relayed) -> None:
    await sign(msr, "prod/app", "1.0")
    await relay.look("changefeed")
    msr.replicas[0].interrupt = lambda request: (
        web.Response(body=b" " * 200_000) if "/tuf/timestamp." in request.path else None
    )
    await relay.look("trust")
    [broken] = of_type(await relay.news(), "trust.invalid")
    assert broken.details["role"] == "timestamp"
    assert "longer than it may be" in broken.details["reason"]


async def test_the_watcher_turned_off_lets_go_what_waits(msr: RealMsr, tmp_path: Path) -> None:
    clock = ManualClock(datetime.now(UTC))
    async with relayed(tmp_path, settings(msr), clock) as relay:
        await relay.look()
        await sign(msr, "prod/app", "1.0")
        await relay.look("changefeed")
        assert await relay.news() == []
    off = {"watch": {"changefeed": {"start": "beginning"}, "trust": "off"}}
    async with relayed(tmp_path, settings(msr, **off), clock) as relay:
        told = of_type(await relay.news(), "trust.updated")
        assert [event.details["unexamined"] for event in told] == ["the watcher `trust` was turned off"] * 2


async def test_evidence_holds_what_was_found(msr: RealMsr, relay: Relayed) -> None:
    await sign(msr, "prod/app", "1.0")
    await relay.look()
    await asyncio.to_thread(msr.delete, "prod/app")
    await relay.look()
    entries: list[Entry] = []
    await relay.store.walk_evidence(Stretch(), lambda page: entries.extend(page) is None)
    assert [entry.kind for entry in entries] == ["record", "record", "snapshot", "snapshot", "record"]
    assert entries[3].content["tags"]["targets"].keys() == {"1.0"}
    assert entries[4].content["type"] == "trust.deleted"


async def test_what_was_told_meanwhile_is_not_told_again(msr: RealMsr, relay: Relayed) -> None:
    await sign(msr, "prod/app", "1.0")
    await relay.look("changefeed")
    await relay.clock.advance(61)
    async with aclosing(relay.watchers["trust"].look()) as reports:  # type: ignore[type-var]
        async for report in reports:
            if report.events:
                await relay.intake.pass_time(relay.clock.now())
            await relay.intake.take(report)
    told = of_type(await relay.news(), "trust.updated")
    assert [event.details["examined"] for event in told] == [False, False]
    assert len(await relay.store.list_deliveries(Filter())) == 2
    await asyncio.to_thread(msr.delete, "prod/app")
    await relay.look("changefeed")
    [deleted] = await relay.news()
    assert deleted.details["lost"]["exact"] is True


async def test_a_clock_that_was_ahead_does_not_hide_what_follows(msr: RealMsr, relay: Relayed) -> None:
    await sign(msr, "prod/app", "1.0")
    msr.notary.sql("UPDATE changefeed SET created_at = created_at + interval '1 hour'")
    await relay.look()
    await asyncio.to_thread(msr.delete, "prod/app")
    await relay.clock.advance(5)
    await relay.look()
    [kept] = (await relay.store.kept_trust([trust_key("prod", msr.gun("prod/app"))])).values()
    assert kept.head.deleted


async def test_it_keeps_to_its_rate(msr: RealMsr, tmp_path: Path) -> None:
    names = [f"prod/{number}" for number in range(6)]
    for name in names:
        await sign(msr, name, "1.0")
    msr.replicas[0].requests.clear()
    made = settings(msr, watch={"trust": {"rate": 1, "every": "5s"}, "changefeed": "off"})
    asked: list[int] = []
    async with relayed(tmp_path, made, ManualClock(datetime.now(UTC))) as relay:
        for _ in range(20):
            await relay.look("trust")
            await relay.clock.advance(5)
            asked.append(len(msr.replicas[0].requests))
        keys = [trust_key("prod", msr.gun(name)) for name in names]
        found = await relay.store.kept_trust(keys)
    assert all(each.state is not None for each in found.values())
    assert len(found) == len(names)
    # A token, timestamp, snapshot, root and targets of each; the feed's token and two pages.
    assert asked[-1] == 5 * len(names) + 3
    # What four that are examined at the same time ask beyond a look's budget, the next looks do not.
    assert all(count <= 5 * look + 4 * 5 for look, count in enumerate(asked, 1))
    assert asked[4] <= 5 * 5 + 5
