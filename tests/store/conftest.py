"""Every test of the store runs over SQLite and over a real PostgreSQL."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import make_url

from relay.store import Store
from tests.real.postgres import Postgres

OpenStore = Callable[[str], Store]


@pytest.fixture(scope="session")
def postgres_with_tables(postgres: Postgres) -> str:
    """The name of a database to copy: the migrations are run once, not for every test."""
    url = postgres.fresh()
    Store(url).close()
    return str(make_url(url).database)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real("postgresql"))])
def database(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'relay.db'}"


@pytest.fixture
def empty_url(database: str, request: pytest.FixtureRequest) -> str:
    """An empty database."""
    if database == "sqlite":
        sqlite: str = request.getfixturevalue("sqlite_url")
        return sqlite
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.fresh()


@pytest.fixture
def url(database: str, request: pytest.FixtureRequest) -> str:
    """A database for a store; it may have its tables already."""
    if database == "sqlite":
        sqlite: str = request.getfixturevalue("sqlite_url")
        return sqlite
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.fresh(request.getfixturevalue("postgres_with_tables"))


@pytest.fixture
def open_store() -> Iterator[OpenStore]:
    """Opens stores that are closed with the test."""
    with ExitStack() as stack:

        def opened(url: str) -> Store:
            store = Store(url)
            stack.callback(store.close)
            return store

        yield opened


@pytest.fixture
def store(url: str, open_store: OpenStore) -> Store:
    return open_store(url)
