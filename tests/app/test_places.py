import socket
import tempfile
from pathlib import Path

import pytest

from relay.app.places import control_socket


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
    path.unlink()
    return True


def test_the_socket_is_beside_the_store() -> None:
    with tempfile.TemporaryDirectory(prefix="p-") as short:
        assert control_socket(f"sqlite:///{short}/relay.db") == Path(short).resolve() / "relay.db.sock"


def test_where_the_store_and_tmpdir_are_too_deep_for_a_socket_there_is_still_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    found = control_socket(f"sqlite:///{deep}/relay.db")
    assert found == control_socket(f"sqlite:///{deep}/relay.db")
    assert found != control_socket(f"sqlite:///{deep}/other.db")
    assert listens(found)
