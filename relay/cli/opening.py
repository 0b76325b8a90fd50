"""What most commands begin with: the configuration, and the store that a relay may be running on."""

import difflib
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from relay.app import build
from relay.app.logs import set_up
from relay.model.errors import NotFoundError
from relay.settings import Configuration, read
from relay.store import Store
from relay.store.database import connect, file_of, parse_url, plain_errors
from relay.store.migrate import revision


def configure(option: Path | None) -> Configuration:
    """Read the configuration; from then on, only what is wrong is logged. Raises ConfigError."""
    configuration = read(option, os.environ)
    set_up("error", "auto", build.secrets(configuration.settings))
    return configuration


@asynccontextmanager
async def existing_store(configuration: Configuration) -> AsyncIterator[Store]:
    """Open the store beside whatever runs on it. Raises NotFoundError if there is none: it is not made."""
    url = configuration.settings.store.get_secret_value()
    _need(url)
    store = Store(url)
    try:
        yield store
    finally:
        store.close()


def _need(url: str) -> None:
    parsed = parse_url(url)
    path = file_of(parsed)
    name = "in the database" if path is None else f"at {path.resolve()}"
    hint = "msr-relay run makes it; is this the right configuration, and the right directory?"
    missing = NotFoundError(f"there is no store {name} yet: {hint}")
    if path is not None and not path.exists():
        raise missing
    with plain_errors():
        engine = connect(parsed, writing=False)
        try:
            present = revision(engine)
        finally:
            engine.dispose()
    if present is None:
        raise missing


def near(name: str, known: Iterable[str]) -> str:
    """Return what to say after a name that there is not: the near miss, or all there are."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(names)}" if names else "there are none"
