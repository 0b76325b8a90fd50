from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.demo.playing import Playing

Play = Callable[..., Playing]


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """`play(*options)` starts a demonstration; none outlives the test."""
    with ExitStack() as stack:
        made: list[Playing] = []

        def start(*options: str, **more: tuple[str, ...]) -> Playing:
            folder = tmp_path / f"demo-{len(made)}"
            folder.mkdir()
            made.append(Playing(folder, *options, **more))
            stack.callback(made[-1].close)
            return made[-1]

        yield start
