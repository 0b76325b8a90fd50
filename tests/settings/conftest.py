from collections.abc import Callable
from pathlib import Path

import pytest

from relay.settings import Configuration, read

Reading = Callable[..., Configuration]


@pytest.fixture
def reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reading:
    """`reading(text, NAME=value)`: reads a relay.yaml that only its owner may read."""
    # So that places in messages are short.
    monkeypatch.chdir(tmp_path)

    def read_text(text: str, **environ: str) -> Configuration:
        file = Path("relay.yaml")
        file.write_text(text)
        file.chmod(0o600)
        return read(file, environ, None)

    return read_text
