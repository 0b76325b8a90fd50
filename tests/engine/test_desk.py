"""What people have said, as the store has it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from relay.engine.desk import Desk
from relay.model.silence import Silence
from relay.store import Deed, Store

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def silence(name: str, **matchers: list[str]) -> Silence:
    return Silence(name, matchers, NOW, NOW + timedelta(hours=1), "alice", "work", NOW)


async def test_a_silence_that_this_release_cannot_read_stops_no_relay(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'relay.db'}")
    try:
        for each in (silence("sil_1", type=["no.longer.there"]), silence("sil_2", type=["trust.deleted"])):
            await store.save_silence(each, Deed(NOW, "alice", "silence", each.id))
        desk = Desk(store)
        await desk.load(NOW)
    finally:
        store.close()
    assert [each.id for each in desk.silences.all] == ["sil_2"]
