"""The real notary server on the real PostgreSQL, and the real notary client."""

import base64
import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.real import parts
from tests.real.loops import PATIENCE, free_port
from tests.real.postgres import Postgres
from tests.real.tokens import SERVICE, Issuer

# notary-server makes no tables itself; these are its migrations' result.
SCHEMA = """
CREATE TABLE changefeed (
    id serial PRIMARY KEY, created_at timestamp DEFAULT CURRENT_TIMESTAMP, gun varchar(255) NOT NULL,
    version integer NOT NULL, sha256 char(64), category varchar(20) NOT NULL);
CREATE INDEX idx_changefeed_gun ON changefeed (gun);
CREATE TABLE tuf_files (
    id serial PRIMARY KEY, created_at timestamp, updated_at timestamp, deleted_at timestamp,
    gun varchar(255) NOT NULL, role varchar(255) NOT NULL, version integer NOT NULL,
    sha256 char(64) DEFAULT NULL, data bytea NOT NULL, UNIQUE (gun, role, version));
CREATE INDEX tuf_files_sha256_idx ON tuf_files (sha256);
"""
TEMPLATE = "notary_template"


def make_template(postgres: Postgres) -> None:
    """Once per cluster; each notary's database is a copy."""
    postgres.sql(postgres.url("postgres"), f"CREATE DATABASE {TEMPLATE}")
    postgres.sql(postgres.url(TEMPLATE), SCHEMA)


class Notary:
    """A notary-server process with a database of its own."""

    def __init__(self, postgres: Postgres, issuer: Issuer, realm: str, folder: Path) -> None:
        self._program = parts.need("notary")["notary-server"]
        self._postgres, self._folder = postgres, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.database = postgres.fresh(TEMPLATE)
        self.port = free_port()
        (folder / "server.json").write_text(json.dumps(self._config(issuer, realm)))
        self.start()

    @property
    def url(self) -> str:
        """Without TLS; what MSR's nginx sees."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it is healthy. Keys are in memory: what it signed before it can sign no more."""
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-config", self._folder / "server.json"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"notary-server did not start:\n{self.log()}")
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def log(self) -> str:
        return (self._folder / "server.log").read_text(errors="replace")

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Runs one statement on its database, `%s` for parameters, and gives the rows."""
        return self._postgres.sql(self.database, statement, parameters)

    def add_record(
        self,
        gun: str,
        category: str = "deletion",
        *,
        record_id: int | None = None,
        created_at: datetime | None = None,
        version: int = 0,
        sha256: str = "",
    ) -> str:
        """Writes a record past the server, say a late one (`record_id` below the newest); gives its ID."""
        rows = self.sql(
            "INSERT INTO changefeed (id, created_at, gun, version, sha256, category)"
            " VALUES (coalesce(%s, nextval('changefeed_id_seq')), %s, %s, %s, %s, %s) RETURNING id",
            record_id,
            (created_at or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None),
            gun,
            version,
            sha256,
            category,
        )
        return str(rows[0][0])

    def skip_ids(self, count: int) -> None:
        """As transactions do that took ids and have not committed: the next record's ID leaves a gap."""
        self.sql("SELECT setval('changefeed_id_seq', (SELECT last_value + %s FROM changefeed_id_seq))", count)

    def rebuild_feed(self) -> None:
        """As a restore into an empty database does: no records, and IDs start at 1 again."""
        self.sql("TRUNCATE changefeed RESTART IDENTITY")

    def expire_timestamp(self, gun: str) -> None:
        """Ages the stored timestamp, so that a mere read makes the server sign anew and write an `update`."""
        self._expire(gun, "timestamp")

    def expire_snapshot(self, gun: str) -> None:
        """The same with the snapshot, whose key the server must have: it then renews both."""
        self._expire(gun, "snapshot")

    def _expire(self, gun: str, role: str) -> None:
        newest = "gun = %s AND role = %s AND deleted_at IS NULL ORDER BY version DESC LIMIT 1"
        [(row, data)] = self.sql(f"SELECT id, data FROM tuf_files WHERE {newest}", gun, role)
        document = json.loads(bytes(data))
        document["signed"]["expires"] = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.sql("UPDATE tuf_files SET data = %s WHERE id = %s", json.dumps(document).encode(), row)

    def _config(self, issuer: Issuer, realm: str) -> dict[str, Any]:
        options = {
            "realm": realm,
            "service": SERVICE,
            "issuer": issuer.name,
            "rootcertbundle": str(issuer.certificate),
        }
        return {
            "server": {"http_addr": f"127.0.0.1:{self.port}"},
            "trust_service": {"type": "local"},
            # Go's driver takes the same URL, and asks for TLS unless told otherwise.
            "storage": {"backend": "postgres", "db_url": f"{self.database}?sslmode=disable"},
            "auth": {"type": "token", "options": options},
            "logging": {"level": "warn"},
        }

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_notary_server/health", timeout=PATIENCE) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return False
        except OSError:
            return False


class NotaryClient:
    """The `notary` program as one user, with keys and caches in a folder of its own."""

    def __init__(self, url: str, ca_file: Path, name: str, password: str, folder: Path) -> None:
        self._program = parts.need("notary")["notary"]
        self._folder = folder
        self._options = ["-s", url, "--tlscacert", str(ca_file), "-d", str(folder / "trust")]
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "NOTARY_AUTH": base64.b64encode(f"{name}:{password}".encode()).decode(),
            **{
                f"NOTARY_{role}_PASSPHRASE": "passphrase"
                for role in ("ROOT", "TARGETS", "SNAPSHOT", "DELEGATION")
            },
        }
        self._known: set[str] = set()

    def init(self, gun: str) -> None:
        """Makes the repository's trust data and publishes it: an `update` of version 1."""
        self.run("init", gun, "-p")
        self._known.add(gun)

    def sign(self, gun: str, tag: str, content: bytes = b"manifest") -> None:
        """Signs the content under the tag and publishes; initialises the repository if need be."""
        if gun not in self._known:
            self.init(gun)
        file = self._folder / "target"
        file.write_bytes(content)
        self.run("add", gun, tag, str(file), "-p")

    def delete(self, gun: str) -> None:
        """Deletes the repository's trust data, here and on the server: a `deletion`."""
        self.run("delete", "--remote", gun)
        self._known.discard(gun)

    def list(self, gun: str) -> dict[str, str]:
        """SHA-256 of what is signed, by tag, as seen by anybody: the program reads without a password.

        What may not be read comes from its cache. Reading can make the server sign anew an expired timestamp.
        """
        rows = re.findall(r"^\s*(\S+)\s+([0-9a-f]{64})\s+\d+\s+\S+\s*$", self.run("list", gun), re.MULTILINE)
        return dict(rows)

    def run(self, *arguments: str, answer: str = "", timeout: float = 60) -> str:
        """Runs the program and gives its output; failing is an AssertionError.

        `answer` is what it reads from standard input: `yes` lets it rotate a root key.
        """
        done = subprocess.run(
            [self._program, *self._options, *arguments],
            env=self._environment,
            input=answer,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"notary {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout
