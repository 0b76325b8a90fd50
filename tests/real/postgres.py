"""A private PostgreSQL cluster: made for the run, reachable over loopback only, gone afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from tests.real import parts
from tests.real.loops import free_port

# A crash of the machine may lose the tests' data: that makes it several times as fast.
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
DURABLE: dict[str, str] = {}
"""PostgreSQL's own defaults: what a benchmark measures."""


class Postgres:
    """One cluster, many databases."""

    def __init__(self, settings: Mapping[str, str] = QUICK) -> None:
        self._settings = settings
        self._programs = parts.need("postgresql")
        # Not below pytest's own folder: that is closed to other users, and a socket's path is limited.
        self._home = Path(tempfile.mkdtemp(prefix="relay-pg-"))
        self._data = self._home / "data"
        self._user = _unprivileged()
        if self._user:
            shutil.chown(self._home, self._user)
        self.port = free_port()
        self._numbers = count(1)
        self._run("initdb", "--auth=trust", "--username=relay", "--encoding=UTF8", "--no-locale", "--no-sync")
        self.start()

    def start(self) -> None:
        """Returns when it takes connections."""
        settings = {
            **self._settings,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self._home),
        }
        options = " ".join(
            f"-c {name}={value}" for name, value in (settings | {"port": str(self.port)}).items()
        )
        self._run("pg_ctl", "start", "--wait", "--timeout=60", f"--log={self._home / 'log'}", "-o", options)

    def stop(self) -> None:
        """As a crash would: open connections break."""
        self._run("pg_ctl", "stop", "--mode=immediate", "--wait")

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._home)

    def url(self, database: str) -> str:
        """As SQLAlchemy, libpq and psycopg take it."""
        return f"postgresql://relay@127.0.0.1:{self.port}/{database}"

    def fresh(self, template: str = "template1") -> str:
        """The URL of a new database, a copy of the template; nothing may be connected to that."""
        name = f"test_{next(self._numbers)}"
        self.sql(self.url("postgres"), f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def sql(self, url: str, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Runs one statement (`%s` for parameters), commits it, and gives its rows."""
        with psycopg.connect(url, autocommit=True) as connection:
            # Without parameters psycopg must not look for placeholders: a statement may hold a per cent sign.
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs[program]), *arguments, "-D", str(self._data)]
        done = subprocess.run(
            command,
            user=self._user,
            group=_group(self._user),
            extra_groups=[] if self._user else None,
            cwd=self._home,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            timeout=90,
            check=False,
        )
        if done.returncode:
            log = self._home / "log"
            told = (done.stdout or b"").decode() + (log.read_text() if log.exists() else "")
            raise AssertionError(f"{program} failed with {done.returncode}:\n{told}")


def _unprivileged() -> str | None:
    """The user to run as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _group(user: str | None) -> int | None:
    return pwd.getpwnam(user).pw_gid if user else None
