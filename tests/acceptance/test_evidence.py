"""The whole relay keeps evidence: anchored once a day, pruned behind a checkpoint, verified anywhere."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from relay.engine.evidence import drafts
from relay.engine.signing import Key
from relay.model.evidence import Head, Kind
from relay.model.plan import Plan
from relay.store import Store
from tests.acceptance.evidence import evidence
from tests.acceptance.imitated import Cluster
from tests.acceptance.in_process import Running, running
from tests.acceptance.told import Told, told, webhook
from tests.real.webhooks import Receiver
from tests.store.things import event
from tests.support.clock import ManualClock

SEED = "whsk_" + "A" * 43 + "="
PUBLIC = Key(SEED).public
MIDNIGHT = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)


def settings(cluster: Cluster, webhooks: Receiver, key: str | None = SEED) -> dict[str, Any]:
    signed = {} if key is None else {"key": key}
    return {
        "clusters": [cluster.settings(watch={"changefeed": {"every": "10m", "start": "beginning"}})],
        "channels": [webhook(webhooks, "soc"), webhook(webhooks, "vault", "/vault")],
        "rules": [{"name": "deletions", "match": {"type": "trust.deleted"}, "channels": ["soc"]}],
        "evidence": {
            **signed,
            "retention": "1d",
            "anchor": {"channel": "vault", "schedule": "0 6 * * *"},
        },
    }


def anchors(webhooks: Receiver) -> list[Told]:
    return [each for each in told(webhooks, "/vault") if each.type == "evidence.anchored"]


async def seen(running: Running, *heads: Head, keys: tuple[str, ...] = ()) -> Any:
    """What is in the store of a relay that runs, beside which another may be opened."""
    return await asyncio.to_thread(evidence, running.folder / "relay.db", *heads, keys=keys)


async def test_the_head_is_told_every_day_also_over_a_restart_and_contradicts_a_rewriting(
    tmp_path: Path, cluster: Cluster, webhooks: Receiver
) -> None:
    given, clock = settings(cluster, webhooks), ManualClock(MIDNIGHT)
    given["evidence"]["retention"] = "400d"
    cluster.delete("prod/one", "prod/two")
    async with running(tmp_path, given, clock) as relay:
        await relay.until(lambda: len(told(webhooks)) == 2, "the deletions were told", within=1300, step=60)
        await relay.advance(6 * 3600 - 1200, step=600)
        assert anchors(webhooks) == []
        await relay.until(lambda: anchors(webhooks), "the head was told", within=7200, step=30)
        cluster.delete("prod/three")
        await relay.until(lambda: len(told(webhooks)) == 3, "the third was told", within=1300, step=60)
    for at in (7, 8, 29.9):
        clock.jump((MIDNIGHT + timedelta(hours=at) - clock.now()).total_seconds())
        async with running(tmp_path, given, clock) as relay:
            await relay.advance(300, step=30)
            assert len(anchors(webhooks)) == 1
    async with running(tmp_path, given, clock) as relay:
        await relay.until(lambda: len(anchors(webhooks)) == 2, "the next day", within=3600, step=30)
        heads = [
            Head(each.data["details"]["seq"], each.data["details"]["hash"]) for each in anchors(webhooks)
        ]
        found, verdict = await seen(relay, *heads, keys=(PUBLIC,))
    assert [head.seq for head in heads] == [4, 7], "each deletion has a signing before it"
    assert verdict.broken is None
    assert (verdict.anchored, verdict.signatures, verdict.signed_through) == (2, 2, 7)
    kinds = [entry.kind for entry in found]
    assert kinds == [Kind.RECORD] * 4 + [Kind.ANCHOR] + [Kind.RECORD] * 2 + [Kind.ANCHOR]
    assert not [each for each in told(webhooks) if each.type == "evidence.anchored"], "only its channel"


async def fill(file: Path, start: datetime, count: int) -> None:
    store = Store(f"sqlite:///{file}")
    for number in range(count):
        made = event(f"evt_old{number}", seen_at=start + timedelta(hours=number))
        await store.commit(Plan(at=made.seen_at, events=(made,), evidence=drafts([made])))
    store.close()


@pytest.mark.parametrize("key", [SEED, None], ids=["signed", "unsigned"])
async def test_retention_leaves_a_checkpoint_and_a_chain_that_holds(
    tmp_path: Path, cluster: Cluster, webhooks: Receiver, key: str | None
) -> None:
    """By the relay's own pruning, every time that it is due."""
    await fill(tmp_path / "relay.db", MIDNIGHT - timedelta(days=3), 60)
    cluster.delete("prod/app")
    keys = () if key is None else (PUBLIC,)
    before, _ = await asyncio.to_thread(evidence, tmp_path / "relay.db")
    async with running(tmp_path, settings(cluster, webhooks, key), ManualClock(MIDNIGHT)) as relay:
        await relay.until(lambda: told(webhooks), "the deletion was told", within=1300, step=60)
        pruned: list[int] = []
        for hours in (0.5, 2.5):
            while relay.clock.now() < MIDNIGHT + timedelta(hours=hours):
                await relay.advance(600, step=300)
            await relay.breathe(100)
            found, verdict = await seen(relay, Head(20, before[19].hash), keys=keys)
            assert verdict.broken is None
            assert found[0].kind == Kind.CHECKPOINT
            assert (found[0].signature is None) == (key is None)
            kept = [entry for entry in found[1:] if entry.seq <= 60]
            assert kept == before[60 - len(kept) :], "what stays is as it was"
            assert verdict.unreached == (Head(20, before[19].hash),)
            pruned.append(verdict.pruned)
    assert pruned == [49, 51]


async def test_evidence_that_is_broken_is_not_pruned_and_the_rest_goes_on(
    tmp_path: Path, cluster: Cluster, webhooks: Receiver
) -> None:
    file = tmp_path / "relay.db"
    await fill(file, MIDNIGHT - timedelta(days=3), 10)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE evidence SET body = replace(body, 'evt_old4', 'evt_old5') WHERE seq = 5")
    async with running(tmp_path, settings(cluster, webhooks), ManualClock(MIDNIGHT)) as relay:
        await relay.advance(1300, step=10)
        found, verdict = await seen(relay)
        assert (len(found), verdict.broken.seq) == (10, 5)
        cluster.delete("prod/app")
        await relay.until(lambda: told(webhooks), "the relay still watches", within=1300, step=60)


async def test_evidence_can_be_turned_off(tmp_path: Path, cluster: Cluster, webhooks: Receiver) -> None:
    given = settings(cluster, webhooks)
    cluster.delete("prod/one")
    async with running(tmp_path, given, ManualClock(MIDNIGHT)) as relay:
        await relay.until(lambda: len(told(webhooks)) == 1, "it was told", within=1300, step=60)
        assert len((await seen(relay))[0]) == 2
        relay.configure({**given, "evidence": {**given["evidence"], "enabled": False}})
        relay.app.reloading.set()
        await relay.until(
            lambda: not relay.app._settings.evidence.enabled, "it has reloaded", within=1300, step=60
        )
        cluster.delete("prod/two")
        await relay.until(lambda: len(told(webhooks)) == 2, "it was told too", within=1300, step=60)
        assert len((await seen(relay))[0]) == 2
        await relay.advance(36_000, step=1200)
        assert anchors(webhooks) == []
