"""The evidence on the command line: listed, shown, exported, verified, and a report of it."""

import asyncio
import csv
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest

from relay.engine.evidence import drafts
from relay.engine.signing import Key
from relay.model.details import TrustRecord
from relay.model.errors import Exit
from relay.model.event import Event, Subject, SubjectKind
from relay.model.evidence import Draft, Entry, Head, Kind, anchor_body, canonical, statement
from relay.model.plan import Plan
from relay.store import EvidenceCut, Store
from tests.acceptance.relay import PATIENCE
from tests.cli.conftest import Ended, Shell
from tests.real.forked import environment
from tests.store.chains import SEED, change, entries
from tests.store.things import event, later

KEY = Key(SEED)
NARROW = {"COLUMNS": "80"}
SETTINGS = {
    "timezone": "Europe/Berlin",
    "clusters": [{"name": "prod", "url": "https://msr.example.com", "username": "u", "password": "p"}],
    "channels": [{"name": "security", "kind": "console"}],
    "evidence": {"anchor": {"channel": "security"}},
}
SIGNED = {**SETTINGS, "evidence": {"key": SEED, "anchor": {"channel": "security"}}}
STRANGE = "=cmd|' /C calc'!A0\x1b[2J<script>"


def seen(number: int, kind: str, repository: str, cluster: str = "prod", **details: object) -> Event:
    subject = Subject(SubjectKind.REPOSITORY, repository, gun=f"msr.example.com/{repository}")
    return event(
        f"evt_{number:032d}",
        type=kind,
        cluster=cluster,
        subject=subject,
        seen_at=later(60 * number),
        happened_at=later(60 * number - 30),
        details=details,
    )


def updated(number: int, repository: str, record: str, sha256: str) -> Event:
    details = TrustRecord(record_id=record, version=1, sha256=sha256, feed="all repositories")
    return seen(number, "trust.updated", repository, **details.model_dump())


async def fill(url: str, *, signed: bool) -> list[Entry]:
    """Updates, a snapshot, an anchor, a deletion, something strange: 7 entries."""
    store = Store(url)

    async def add(*events: Event) -> None:
        for each in events:
            await store.commit(Plan(at=each.seen_at, events=(each,), evidence=drafts([each])))

    await add(updated(1, "prod/app", "r1", sha256="ab" * 32))
    await add(updated(2, "prod/db", "r2", sha256="cd" * 32))
    tags = {"targets": {"1.0": {"sha256": "9f" * 32, "length": 1580}}}
    body = canonical({"gun": "msr.example.com/prod/app", "tags": tags, "signers": {"targets": ["k" * 64]}})
    await store.commit(Plan(evidence=(Draft(later(150), Kind.SNAPSHOT, body, "prod", "prod/app"),)))
    head = anchor_body(await store.evidence_head())
    signature = KEY.sign(statement(Kind.ANCHOR, head)) if signed else None
    anchor = Draft(later(160), Kind.ANCHOR, head, subject="security", signature=signature)
    await store.commit(Plan(evidence=(anchor,)))
    await add(
        seen(3, "trust.deleted", "prod/app", record_id="r3"),
        seen(4, "trust.deleted", "lab/app", "lab", record_id="r4"),
        seen(5, "trust.unreadable", STRANGE, reason=STRANGE),
    )
    found = await entries(store)
    store.close()
    return found


@pytest.fixture
def url(shell: Shell) -> str:
    return f"sqlite:///{shell.folder / 'relay.db'}"


@pytest.fixture
def found(shell: Shell, url: str) -> list[Entry]:
    shell.write(SETTINGS)
    return asyncio.run(fill(url, signed=False))


@pytest.fixture
def signed(shell: Shell, url: str) -> list[Entry]:
    shell.write(SIGNED)
    return asyncio.run(fill(url, signed=True))


def audit(shell: Shell, *words: str, **given: object) -> Ended:
    return shell.run("audit", *words, **given)  # type: ignore[arg-type]


def told(ended: Ended) -> list[int]:
    return [each["seq"] for each in ended.json["entries"]]


class TestList:
    def test_the_newest_come_first(self, shell: Shell, found: list[Entry]) -> None:
        ended = audit(shell, "list")
        lines = ended.out.splitlines()
        assert [line.split()[0] for line in lines[1:-1]] == ["7", "6", "5", "4", "3", "2", "1"]
        assert "trust data deleted" in lines[3]
        assert "2026-11-23 22:03 CET" in lines[3]
        assert "entry 3 was told to security" in lines[4]
        assert "In all: entries 1 to 7" in lines[-1]
        assert "\x1b" not in ended.out
        assert ended.status == 0

    def test_it_fits_a_narrow_terminal(self, shell: Shell, found: list[Entry]) -> None:
        assert max(map(len, audit(shell, "list", env=NARROW).out.splitlines())) <= 80

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["--cluster", "lab"], [6]),
            (["--repository", "prod/app"], [5, 3, 1]),
            (["--repository", "prod/app", "--kind", "record"], [5, 1]),
            (["--kind", "snapshot"], [3]),
            (["--kind", "anchor"], [4]),
            (["--since", "2026-11-23T21:03:00Z"], [7, 6, 5]),
            (["--since", "2026-11-23 22:03", "--until", "2026-11-23 22:04"], [5]),
            (["--until", "2026-11-23T21:02:00Z"], [1]),
            (["--before", "3"], [2, 1]),
            (["--repository", "prod/none"], []),
        ],
    )
    def test_filters(self, shell: Shell, found: list[Entry], words: list[str], expected: list[int]) -> None:
        assert told(audit(shell, "list", "--json", *words)) == expected

    def test_pages(self, shell: Shell, found: list[Entry]) -> None:
        got: list[int] = []
        words: list[str] = []
        for _ in range(4):
            page = audit(shell, "list", "--json", "--limit", "2", *words).json
            got += [each["seq"] for each in page["entries"]]
            words = ["--before", str(page["before"])]
        assert got == [7, 6, 5, 4, 3, 2, 1]
        assert page["before"] is None
        assert "--before 6" in audit(shell, "list", "--limit", "2").out

    def test_json(self, shell: Shell, found: list[Entry]) -> None:
        document = audit(shell, "list", "--json", "--kind", "snapshot").json
        (entry,) = document["entries"]
        assert (document["first"], document["last"]) == (1, 7)
        assert entry["seen_at"] == "2026-11-23T21:02:30.123456Z"
        assert entry["content"]["tags"]["targets"]["1.0"]["length"] == 1580
        assert (entry["hash"], entry["prev"]) == (found[2].hash, found[1].hash)

    def test_without_evidence(self, shell: Shell, url: str) -> None:
        shell.write(SETTINGS)
        Store(url).close()
        assert "No evidence yet" in audit(shell, "list").out
        assert audit(shell, "list", "--json").json == {"first": 0, "last": 0, "before": None, "entries": []}

    def test_without_a_store(self, shell: Shell) -> None:
        shell.write(SETTINGS)
        for words in (["list"], ["verify"], ["export"], ["report", "prod/app"]):
            ended = audit(shell, *words)
            assert ended.status == Exit.NOT_FOUND, words
            assert "there is no store" in ended.err

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--since", "yesterday"], "--since: 'yesterday' is no time"),
            (["--kind", "gossip"], "'gossip' is not one of"),
        ],
    )
    def test_what_cannot_be_meant(
        self, shell: Shell, found: list[Entry], words: list[str], said: str
    ) -> None:
        ended = audit(shell, "list", *words)
        assert ended.status == Exit.USAGE
        assert said in ended.err


class TestShow:
    def test_an_entry(self, shell: Shell, found: list[Entry]) -> None:
        out = audit(shell, "show", "5").out
        assert found[4].hash in out
        assert found[4].prev in out
        assert "fits its hash" in out
        assert "yes (entry 4)" in out
        assert "trust data deleted" in out

    def test_strange_texts_do_not_write_to_the_terminal(self, shell: Shell, found: list[Entry]) -> None:
        assert "\x1b" not in audit(shell, "show", "7").out
        assert audit(shell, "show", "7", "--json").json["subject"] == STRANGE

    def test_what_was_changed(self, shell: Shell, found: list[Entry], url: str) -> None:
        change(url, "UPDATE evidence SET subject = 'x' WHERE seq = 5")
        assert "was changed" in audit(shell, "show", "5").out
        document = audit(shell, "show", "5", "--json").json
        assert (document["intact"], document["follows"]) == (False, True)

    def test_what_there_is_not(self, shell: Shell, found: list[Entry], url: str) -> None:
        ended = audit(shell, "show", "99")
        assert ended.status == Exit.NOT_FOUND
        assert "the evidence has entries 1 to 7" in ended.err
        change(url, "DELETE FROM evidence WHERE seq = 5")
        ended = audit(shell, "show", "5")
        assert "entry 5 is missing" in ended.err
        assert "audit verify" in ended.err


class TestVerify:
    def test_what_holds(self, shell: Shell, found: list[Entry]) -> None:
        ended = audit(shell, "verify")
        assert ended.status == 0
        assert ended.out.startswith("The evidence holds.\n")
        assert f"7:{found[6].hash}" in ended.out
        assert f"last anchor  3:{found[2].hash} to security" in ended.out
        assert "Only --anchor tells" in ended.out
        document = audit(shell, "verify", "--json").json
        assert (document["holds"], document["entries"], document["broken"]) == (True, 7, None)
        assert document["head"] == {"entry": 7, "hash": found[6].hash}

    def test_what_is_broken(self, shell: Shell, found: list[Entry], url: str) -> None:
        change(url, "UPDATE evidence SET body = replace(body, 'r3', 'r4') WHERE seq = 5")
        ended = audit(shell, "verify")
        assert ended.status == Exit.BROKEN == 8
        assert ended.out.startswith("BROKEN: entry 5 was changed: its content does not fit its hash")
        assert "Nothing contradicts what is up to entry 4." in ended.out
        ended = audit(shell, "verify", "--json")
        assert ended.status == Exit.BROKEN
        assert ended.json["broken"]["entry"] == 5

    def test_an_anchor(self, shell: Shell, found: list[Entry]) -> None:
        told = f"5:{found[4].hash.upper()}"
        ended = audit(shell, "verify", "--anchor", told)
        assert ended.status == 0
        assert "1 that you gave fit" in ended.out
        assert "Only --anchor" not in ended.out
        for wrong, said in (
            (f"5:{'0' * 64}", "entry 5 has the hash"),
            (f"8:{'0' * 64}", "entry 8 is missing"),
        ):
            ended = audit(shell, "verify", "--anchor", told, "--anchor", wrong)
            assert ended.status == Exit.BROKEN
            assert said in ended.out

    def test_the_configured_key_counts(self, shell: Shell, signed: list[Entry], url: str) -> None:
        ended = audit(shell, "verify")
        assert "1 good, vouching for everything up to entry 3" in ended.out
        assert f"signed by    {KEY.public}\n" in ended.out
        assert "No signature covers what came last: entries 4 to 7." in ended.out
        other = Key("whsk_" + "A" * 43 + "=").public
        ended = audit(shell, "verify", "--key", other)
        assert ended.status == Exit.BROKEN
        assert "entry 4 is signed by a key that was not given" in ended.out
        assert audit(shell, "verify", "--key", other, "--key", KEY.public).status == 0

    def test_what_was_not_signed(self, shell: Shell, found: list[Entry]) -> None:
        ended = audit(shell, "verify", "--key", KEY.public)
        assert ended.status == Exit.BROKEN
        assert "--unsigned-until 4 lets that pass" in ended.out
        ended = audit(shell, "verify", "--key", KEY.public, "--unsigned-until", "4")
        assert ended.status == Exit.BROKEN
        assert "nothing up to it is signed" in ended.out
        shell.write(SIGNED)
        ended = audit(shell, "verify", "--unsigned-until", "4")
        assert ended.status == 0, "a key that is new proves nothing yet"
        assert "Nothing is signed by the key yet" in ended.out

    def test_a_key_from_a_file(self, shell: Shell, signed: list[Entry]) -> None:
        from cryptography.hazmat.primitives import serialization as s

        private = KEY._private
        pem = private.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
        (shell.folder / "public.pem").write_bytes(pem)
        (shell.folder / "public.txt").write_text(f"{KEY.public}\n")
        for name in ("public.pem", "public.txt"):
            assert audit(shell, "verify", "--key", name).status == 0

    def test_a_private_key_is_refused_and_not_shown(self, shell: Shell, signed: list[Entry]) -> None:
        (shell.folder / "key.txt").write_text(SEED)
        for given in (SEED, "key.txt"):
            ended = audit(shell, "verify", "--key", given)
            assert ended.status == Exit.USAGE
            assert "private key" in ended.err
            assert SEED not in ended.err + ended.out

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--anchor", "head"], "--anchor: 'head' is no SEQ:HASH"),
            (["--key", "whpk_abc"], "--key: "),
            (["--key", "nowhere.pem"], "'nowhere.pem' is no public key (whpk_…), and no file of one"),
            (["--file", "nowhere.jsonl"], "--file: nowhere.jsonl cannot be read: No such file"),
            (["--partial"], "--partial is for --file"),
        ],
    )
    def test_what_cannot_be_meant(
        self, shell: Shell, found: list[Entry], words: list[str], said: str
    ) -> None:
        ended = audit(shell, "verify", *words)
        assert ended.status == Exit.USAGE
        assert said in ended.err

    def test_what_was_pruned(self, shell: Shell, signed: list[Entry], url: str) -> None:
        async def prune() -> None:
            store = Store(url)
            await store.prune_evidence(EvidenceCut(later(200), later(10_000), KEY))
            store.close()

        asyncio.run(prune())
        ended = audit(shell, "verify", "--anchor", f"2:{signed[1].hash}")
        assert ended.status == 0
        assert "pruned       5, the first of 2026-11-23T21:01:00.123456Z" in ended.out
        assert (
            f"Nothing can be said about these anchors, their entries are not here: 2:{signed[1].hash}."
            in (ended.out)
        )
        assert "stands for 5 entries" in audit(shell, "show", "5").out

    def test_nothing_to_verify(self, shell: Shell, url: str) -> None:
        shell.write(SETTINGS)
        Store(url).close()
        ended = audit(shell, "verify")
        assert (ended.status, ended.out) == (0, "There is no evidence yet: nothing to verify.\n")
        assert audit(shell, "verify", "--anchor", f"1:{'0' * 64}").status == Exit.BROKEN

    def test_a_long_chain_shows_on_a_terminal_how_far_it_is(self, shell: Shell, url: str) -> None:
        shell.write(SETTINGS)

        async def fill() -> None:
            store = Store(url)
            many = tuple(
                Draft(datetime(2026, 11, 1, tzinfo=UTC), Kind.RECORD, "{}", "prod", f"prod/{number % 9}")
                for number in range(25_000)
            )
            await store.commit(Plan(evidence=many))
            store.close()

        asyncio.run(fill())
        ours, theirs = pty.openpty()
        words = [sys.executable, "-m", "relay", "audit", "verify"]
        terminal = {**environment(), "TERM": "xterm", "COLUMNS": "100"}
        process = subprocess.Popen(
            words, cwd=shell.folder, env=terminal, stdout=subprocess.PIPE, stderr=theirs
        )
        os.close(theirs)
        shown = b""
        while True:
            try:
                more = os.read(ours, 4096)
            except OSError:
                break
            if not more:
                break
            shown += more
        out, _ = process.communicate(timeout=PATIENCE)
        os.close(ours)
        assert process.returncode == 0
        assert b"verifying" in shown
        assert out.startswith(b"The evidence holds.")
        quiet = audit(shell, "verify")
        assert quiet.err == ""


class TestExport:
    def test_it_is_verified_elsewhere(
        self, shell: Shell, signed: list[Entry], tmp_path_factory: object
    ) -> None:
        ended = audit(shell, "export", "--output", "all.jsonl")
        assert ended.status == 0
        assert ended.out == ""
        assert ended.err == "7 entries in all.jsonl: msr-relay audit verify --file all.jsonl\n"
        elsewhere = Shell(shell.folder / "elsewhere")
        elsewhere.folder.mkdir()
        (shell.folder / "all.jsonl").rename(elsewhere.folder / "all.jsonl")
        ended = audit(elsewhere, "verify", "--file", "all.jsonl", "--key", KEY.public)
        assert ended.status == 0
        assert "7: 1 (" in ended.out
        assert "Only --anchor tells whether somebody has removed the end.\n" in ended.out
        anchor = f"7:{signed[6].hash}"
        ended = audit(elsewhere, "verify", "--file", "all.jsonl", "--anchor", anchor, "--json")
        assert (ended.json["holds"], ended.json["anchors_met"]) == (True, 1)

    def test_to_standard_output_and_from_standard_input(self, shell: Shell, found: list[Entry]) -> None:
        text = audit(shell, "export").out
        assert [json.loads(line)["hash"] for line in text.splitlines()] == [each.hash for each in found]
        assert audit(shell, "verify", "--file", "-", stdin=text).status == 0

    @pytest.mark.parametrize(
        ("change", "named", "said"),
        [
            (lambda lines: lines[:3] + lines[4:], 4, "is missing"),
            (lambda lines: [lines[1], lines[0], *lines[2:]], 1, "is missing; no checkpoint stands for it"),
            (lambda lines: [*lines[:4], lines[4].replace("r3", "r4"), *lines[5:]], 5, "was changed"),
            (lambda lines: [*lines[:4], lines[4][:-9], *lines[5:]], 5, "line 5 is no line of an export"),
            (lambda lines: [*lines, "{}"], 8, "line 8 is no line of an export"),
            (lambda lines: [*lines, lines[6]], 7, "its number is too low"),
        ],
    )
    def test_a_file_that_was_changed(
        self,
        shell: Shell,
        found: list[Entry],
        change: Callable[[list[str]], list[str]],
        named: int,
        said: str,
    ) -> None:
        lines = audit(shell, "export").out.splitlines()
        (shell.folder / "x.jsonl").write_text("\n".join(change(lines)))
        ended = audit(shell, "verify", "--file", "x.jsonl")
        assert ended.status == Exit.BROKEN
        assert ended.out.startswith(f"BROKEN: entry {named} ")
        assert said in ended.out.splitlines()[0]

    def test_a_missing_end_is_found_by_an_anchor(self, shell: Shell, found: list[Entry]) -> None:
        lines = audit(shell, "export").out.splitlines()
        (shell.folder / "x.jsonl").write_text("\n".join(lines[:5]))
        assert audit(shell, "verify", "--file", "x.jsonl").status == 0
        ended = audit(shell, "verify", "--file", "x.jsonl", "--anchor", f"6:{found[5].hash}")
        assert ended.out.startswith("BROKEN: entry 6 is missing")

    def test_a_part(self, shell: Shell, found: list[Entry]) -> None:
        ended = audit(shell, "export", "--repository", "prod/app", "-o", "part.jsonl")
        assert ended.err == "3 entries in part.jsonl: msr-relay audit verify --file part.jsonl --partial\n"
        ended = audit(shell, "verify", "--file", "part.jsonl")
        assert ended.status == Exit.BROKEN
        assert "--partial verifies what is there" in ended.out
        ended = audit(shell, "verify", "--file", "part.jsonl", "--partial")
        assert ended.status == 0
        assert ended.out.startswith("Every entry of this part fits its hash.")
        assert "Whether something was left out, only the whole chain can tell." in ended.out
        text = (shell.folder / "part.jsonl").read_text()
        (shell.folder / "part.jsonl").write_text(text.replace("r3", "r4"))
        assert audit(shell, "verify", "--file", "part.jsonl", "--partial").status == Exit.BROKEN

    def test_csv_is_safe_in_a_spreadsheet(self, shell: Shell, found: list[Entry]) -> None:
        out = audit(shell, "export", "--format", "csv").out
        rows = list(csv.DictReader(StringIO(out)))
        assert [row["entry"] for row in rows] == ["1", "2", "3", "4", "5", "6", "7"]
        assert (rows[0]["version"], rows[0]["about"], rows[0]["record_id"]) == ("1", "prod/app", "r1")
        assert rows[4]["what"] == "trust data deleted"
        assert rows[6]["about"] == "'=cmd|' /C calc'!A0\ufffd[2J<script>"
        for row in rows:
            assert not [cell for cell in row.values() if cell[:1] in "=+-@\t\r\n" and cell]
            assert all(char.isprintable() for cell in row.values() for char in cell)
        ended = audit(shell, "export", "--format", "csv", "-o", "x.csv")
        assert "--format jsonl can be verified" in ended.err
        ended = audit(shell, "verify", "--file", "x.csv")
        assert ended.status == Exit.BROKEN
        assert "line 1 is no line of an export" in ended.out

    def test_what_was_changed_is_exported_so(self, shell: Shell, found: list[Entry], url: str) -> None:
        """An export is evidence of the store as it is, also where that holds bytes that are no text."""
        change(url, "UPDATE evidence SET subject = CAST(x'ff00' AS TEXT), cluster = x'ff' WHERE seq = 2")
        text = audit(shell, "export").out
        assert len(text.splitlines()) == 7
        ended = audit(shell, "verify", "--file", "-", stdin=text)
        assert ended.out.startswith("BROKEN: entry 2 was changed")
        for words in (["export", "--format", "csv"], ["list"], ["show", "2"], ["report", "prod/app"]):
            assert "Traceback" not in audit(shell, *words).err, words

    def test_a_place_that_cannot_be_written(self, shell: Shell, found: list[Entry]) -> None:
        ended = audit(shell, "export", "--output", "nowhere/x.jsonl")
        assert ended.status == Exit.FAILED
        assert ended.err == "--output: nowhere/x.jsonl cannot be written: No such file or directory\n"

    def test_a_reader_that_goes(self, shell: Shell, found: list[Entry]) -> None:
        ended = subprocess.run(
            f"{sys.executable} -m relay audit export | head -1; echo ${{PIPESTATUS[0]}}",
            shell=True,
            executable="/bin/bash",
            cwd=shell.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ended.stdout.splitlines()[1:] == ["0"]
        assert ended.stderr == ""


class TestReport:
    def test_a_history_in_html(self, shell: Shell, signed: list[Entry]) -> None:
        ended = audit(shell, "report", "prod/app", "--output", "report.html")
        assert (ended.status, ended.out, ended.err) == (0, "", "")
        text = (shell.folder / "report.html").read_text()
        assert "THE EVIDENCE HOLDS" in text
        assert text.count('class="deleted"') == 2, "once among the deletions, once in its place"
        assert "2026-11-23 21:03:00.123 UTC" in text
        assert "2026-11-23 22:03:00 CET" in text
        assert "9f" * 32 in text
        assert signed[4].hash in text
        assert "prod/db" not in text

    def test_a_history_in_markdown(self, shell: Shell, signed: list[Entry]) -> None:
        text = audit(shell, "report", "prod/app", "--format", "markdown").out
        assert text.startswith("# Trust history of `prod/app`\n")
        assert "- **DELETED** 2026-11-23 21:03:00.123 UTC (2026-11-23 22:03:00 CET), entry 5" in text
        assert f"- Hash: `{signed[4].hash}`" in text
        assert f"    - `1.0`: `{'9f' * 32}` (1580 bytes), `targets`" in text
        assert "**The evidence holds:** all 7 entries" in text

    def test_it_says_where_the_chain_is_broken(self, shell: Shell, found: list[Entry], url: str) -> None:
        change(url, "UPDATE evidence SET at = at + 1 WHERE seq = 2")
        ended = audit(shell, "report", "prod/app", "--format", "markdown")
        assert ended.status == Exit.BROKEN
        assert "BROKEN: entry 2 was changed" in ended.err
        assert "**THE EVIDENCE DOES NOT HOLD:** entry 2 was changed" in ended.out
        assert "### Entry 5: **DELETED** (NOT PROVEN)" in ended.out
        assert "### Entry 1: `Trust data updated to version 1`\n" in ended.out

    def test_of_one_cluster_or_by_its_signed_name(self, shell: Shell, found: list[Entry]) -> None:
        ended = audit(shell, "report", "lab/app", "--cluster", "lab")
        assert ended.status == 0
        ended = audit(shell, "report", "msr.example.com/lab/app", "--format", "markdown")
        assert "entry 6" in ended.out
        ended = audit(shell, "report", "lab/app", "--cluster", "prod")
        assert ended.status == Exit.NOT_FOUND
        assert "there is no evidence about the repository lab/app of cluster prod" in ended.err

    def test_a_near_miss(self, shell: Shell, found: list[Entry]) -> None:
        ended = audit(shell, "report", "prod/ap", "-o", "x.html")
        assert ended.status == Exit.NOT_FOUND
        assert "did you mean prod/app?" in ended.err
        assert not (shell.folder / "x.html").exists()

    def test_the_latest_only(self, shell: Shell, found: list[Entry]) -> None:
        text = audit(shell, "report", "prod/app", "--limit", "1", "--format", "markdown").out
        assert "2 older entries are not listed." in text
        assert "### Entry 1" not in text
        assert "- Updates: 1" in text

    def test_anchors_and_keys_count_here_too(self, shell: Shell, signed: list[Entry]) -> None:
        head = Head(7, signed[6].hash)
        ended = audit(shell, "report", "prod/app", "--anchor", str(head), "--format", "markdown")
        assert "- Anchors: `1 that you gave fit`" in ended.out
        assert audit(shell, "report", "prod/app", "--anchor", f"7:{'0' * 64}").status == Exit.BROKEN


def test_help_answers_without_the_rest(shell: Shell) -> None:
    ended = audit(shell, "--help")
    assert ended.status in (0, 2)
    for name in ("list", "show", "verify", "export", "report"):
        assert name in ended.out


def test_files_are_whole_or_not_there(shell: Shell, found: list[Entry], url: str) -> None:
    (shell.folder / "x.jsonl").write_text("earlier")
    (shell.folder / "x.jsonl.part").mkdir()
    ended = audit(shell, "export", "-o", "x.jsonl")
    assert ended.status == Exit.FAILED
    assert Path(shell.folder / "x.jsonl").read_text() == "earlier"
