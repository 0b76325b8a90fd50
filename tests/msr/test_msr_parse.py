"""From bytes to values, and never anything but a value or a ValueError."""

import json
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.msr import Category, Gun, NginxStatus, Record, Unreadable, parse, split
from relay.msr.cluster import cluster_status
from relay.msr.text import one_line, printable, shorten
from relay.msr.tokens import parse_token

RECORD = {
    "ID": "7",
    "CreatedAt": "2026-11-23T20:58:11.165146Z",
    "GUN": "msr.example.com/prod/app",
    "Version": 3,
    "SHA256": "a" * 64,
    "Category": "update",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T20:58:11Z", datetime(2026, 11, 23, 20, 58, 11, tzinfo=UTC)),
        ("2026-11-23T20:58:11.1Z", datetime(2026, 11, 23, 20, 58, 11, 100000, tzinfo=UTC)),
        ("2026-11-23T20:58:11.32304Z", datetime(2026, 11, 23, 20, 58, 11, 323040, tzinfo=UTC)),
        ("2026-11-23T20:58:11.165146Z", datetime(2026, 11, 23, 20, 58, 11, 165146, tzinfo=UTC)),
        ("2026-11-23T20:58:11.165146999Z", datetime(2026, 11, 23, 20, 58, 11, 165146, tzinfo=UTC)),
        ("2026-11-23T22:58:11+02:00", datetime(2026, 11, 23, 20, 58, 11, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_times(text, moment):
    assert parse.time(text) == moment
    assert parse.time(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-23",
        "2026-11-23 20:58:11Z",
        "2026-11-23T20:58:11",
        "2026-11-23t20:58:11z",
        "2026-13-01T00:00:00Z",
        "2026-11-23T20:58:11.Z",
        "2026-11-23T20:58:11.1234567890Z",
        "0001-01-01T00:00:00+23:59",
        "٢٠26-11-23T20:58:11Z",
        None,
        1,
        1.5,
        True,
        [],
        {},
    ],
)
def test_no_times(text):
    with pytest.raises(ValueError, match="time"):
        parse.time(text)


@pytest.mark.parametrize(
    ("document", "healthy", "error"),
    [
        ({"Error": "", "Healthy": True}, True, ""),
        ({"Healthy": True}, True, ""),
        ({"Error": "metadata\x1b[2J\nrethinkdb", "Healthy": False}, False, "metadata\ufffd[2J rethinkdb"),
        ({"Error": None, "Healthy": False, "More": 1}, False, ""),
    ],
)
def test_ping(document, healthy, error):
    assert parse.ping(document) == (healthy, error)


@pytest.mark.parametrize(
    "document", [None, [], "", {}, {"Healthy": "true"}, {"Healthy": 1}, {"healthy": True}]
)
def test_no_ping(document):
    with pytest.raises(ValueError, match="Healthy"):
        parse.ping(document)


def test_nginx_status():
    text = (
        "Active connections: 291 \nserver accepts handled requests\n 16630948 16630948 31070465 \n"
        "Reading: 6 Writing: 179 Waiting: 106 \n"
    )
    assert parse.nginx_status(text) == NginxStatus(291, 16630948, 16630948, 31070465, 6, 179, 106)
    tengine = text.replace(" 31070465 ", " 31070465 1234 ")
    assert parse.nginx_status(tengine) == NginxStatus(291, 16630948, 16630948, 31070465, 6, 179, 106)


@pytest.mark.parametrize(
    "text", ["", "<html>", "Active connections: 291", "Active connections: " + "9" * 100_000]
)
def test_no_nginx_status(text):
    with pytest.raises(ValueError, match="stub_status"):
        parse.nginx_status(text)


class TestRecords:
    def test_an_update(self):
        assert parse.record(RECORD) == Record(
            "7",
            datetime(2026, 11, 23, 20, 58, 11, 165146, tzinfo=UTC),
            "msr.example.com/prod/app",
            3,
            "a" * 64,
            Category.UPDATE,
        )

    def test_a_deletion_as_postgresql_has_it(self):
        record = parse.record(RECORD | {"Version": 0, "SHA256": " " * 64, "Category": "deletion"})
        assert (record.version, record.sha256, record.category) == (0, "", Category.DELETION)

    def test_an_id_may_be_a_number(self):
        assert parse.record(RECORD | {"ID": 7}).id == "7"

    @pytest.mark.parametrize("gun", [None, 5, ["x"]])
    def test_a_deletion_is_told_even_without_a_name(self, gun):
        assert parse.record(RECORD | {"GUN": gun, "Category": "deletion"}).gun == ""

    def test_a_name_is_made_harmless(self):
        assert parse.record(RECORD | {"GUN": "a\x00b\ud800\u202ec"}).gun == "a\ufffdb\ufffd\ufffdc"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"ID": ""}, "ID"),
            ({"ID": None}, "ID"),
            ({"ID": True}, "ID"),
            ({"ID": "x" * 256}, "ID"),
            ({"ID": "a\nb\x00"}, "ID"),
            ({"CreatedAt": "yesterday"}, "CreatedAt"),
            ({"CreatedAt": None}, "CreatedAt"),
            ({"Version": "3"}, "Version"),
            ({"Version": -1}, "Version"),
            ({"Version": True}, "Version"),
            ({"Version": 1e3}, "Version"),
            ({"Version": 2**63}, "Version"),
            ({"SHA256": 5}, "SHA256"),
            ({"Category": "rename"}, "Category"),
            ({"Category": None}, "Category"),
            ({"Category": []}, "Category"),
        ],
    )
    def test_what_cannot_be_read_is_a_record_all_the_same(self, change, reason):
        record = parse.record(RECORD | change)
        assert isinstance(record, Unreadable)
        assert reason in record.reason
        assert record.gun == RECORD["GUN"]
        assert record.id == (None if "ID" in change else "7")
        assert record.category == (None if "Category" in change else Category.UPDATE)
        assert RECORD["GUN"] in record.raw or len(record.raw) == 500

    @pytest.mark.parametrize("raw", [None, 5, "text", [], [RECORD]])
    def test_no_record_at_all(self, raw):
        record = parse.record(raw)
        assert isinstance(record, Unreadable)
        assert (record.reason, record.id, record.gun) == ("not an object", None, "")

    def test_pages(self):
        page = parse.page({"count": 2, "records": [RECORD, 5]})
        assert [type(record) for record in page.records] == [Record, Unreadable]
        assert parse.page({"count": 0, "records": []}).records == ()
        assert parse.page({"records": None}).records == ()

    @pytest.mark.parametrize("document", [None, [], {}, {"count": 0}, {"records": {}}, {"records": "x"}])
    def test_no_pages(self, document):
        with pytest.raises(ValueError, match="records"):
            parse.page(document)


ISSUE = {
    "id": "i-1",
    "type": "table_availability",
    "critical": True,
    "description": "some replicas are not ready.\nThe following servers …",
    "info": {"db": "x"},
}


class TestClusterStatus:
    @pytest.mark.parametrize("holder", [lambda rows: rows, lambda rows: {"rethink_system_tables": rows}])
    def test_issues_in_either_place(self, holder):
        status = cluster_status(holder({"current_issues": [ISSUE]}))
        [issue] = status.issues
        assert (issue.id, issue.type, issue.critical) == ("i-1", "table_availability", True)
        assert issue.description == ISSUE["description"]
        assert issue.info == {"db": "x"}
        assert (status.issues_complete, status.quirks) == (True, ())

    def test_an_issue_in_both_places_is_one(self):
        rows = {"current_issues": [ISSUE]}
        assert len(cluster_status(rows | {"rethink_system_tables": rows}).issues) == 1

    def test_everything_is_optional_and_the_unknown_ignored(self):
        status = cluster_status(
            {"unknown": 1, "rethink_system_tables": {"stats": []}, "current_issues": None}
        )
        assert (status.issues, status.issues_complete, status.quirks) == ((), True, ())
        assert (status.replica_health, status.gc_lock_holder) == ({}, "")

    def test_an_issue_may_lack_id_type_and_info(self):
        status = cluster_status({"current_issues": [{"critical": False, "description": "d"}]})
        [issue] = status.issues
        assert (issue.id, issue.type, issue.critical, issue.info) == (None, "", False, {})
        assert status.issues_complete

    @pytest.mark.parametrize(
        ("document", "quirk"),
        [
            ({"current_issues": {}}, "current_issues: not a list"),
            ({"rethink_system_tables": []}, "rethink_system_tables: not an object"),
            (
                {"rethink_system_tables": {"current_issues": [5]}},
                "rethink_system_tables.current_issues[0]: not",
            ),
            ({"current_issues": [ISSUE | {"critical": "yes"}]}, "current_issues[0].critical"),
            ({"current_issues": [ISSUE | {"description": 5}]}, "current_issues[0].description"),
            ({"current_issues": [ISSUE | {"info": 5}]}, "current_issues[0].info"),
            ({"current_issues": [ISSUE] * 1001}, "current_issues: more than 1000"),
        ],
    )
    def test_unreadable_issues_are_reported(self, document, quirk):
        status = cluster_status(document)
        assert any(one.startswith(quirk) for one in status.quirks)
        assert not status.issues_complete

    def test_an_issue_of_unknown_weight_is_critical(self):
        assert cluster_status({"current_issues": [{"description": "d"}]}).issues[0].critical

    def test_replicas(self):
        status = cluster_status(
            {
                "replica_health": {"a": "OK", "b": 5},
                "replica_timestamp": {"a": "2026-11-23T20:58:11Z", "b": "long ago"},
                "replica_readonly": {"a": False, "b": "no"},
                "gc_lock_holder": "a",
            }
        )
        assert status.replica_health == {"a": "OK"}
        assert status.replica_timestamp == {"a": datetime(2026, 11, 23, 20, 58, 11, tzinfo=UTC)}
        assert status.replica_readonly == {"a": False}
        assert status.gc_lock_holder == "a"
        assert [quirk.split(":")[0] for quirk in status.quirks] == [
            "replica_health[b]",
            "replica_timestamp[b]",
            "replica_readonly[b]",
        ]
        assert status.issues_complete

    def test_info_is_harmless(self):
        deep: object = "end"
        for _ in range(100):
            deep = {"next": deep}
        info = {"text\x00": "a\x1bb", "deep": deep, "many": list(range(2000)), "odd": float("inf")}
        [issue] = cluster_status({"current_issues": [ISSUE | {"info": info}]}).issues
        text = json.dumps(issue.info, allow_nan=False)
        assert "a\\ufffdb" in text
        assert len(issue.info["many"]) == 1000
        assert "end" not in text

    @given(JSON)
    def test_anything_else(self, document):
        try:
            status = cluster_status(document)
        except ValueError:
            assert not isinstance(document, dict)
        else:
            assert {field.name for field in fields(status)} >= {"issues", "quirks"}

    @settings(max_examples=30)
    @given(
        st.dictionaries(
            st.sampled_from(
                [
                    "current_issues",
                    "rethink_system_tables",
                    "replica_health",
                    "replica_timestamp",
                    "gc_lock_holder",
                ]
            ),
            JSON
            | st.lists(
                st.dictionaries(st.sampled_from(["id", "type", "critical", "description", "info"]), JSON)
            ),
        )
    )
    def test_anything_in_its_places(self, document):
        json.dumps(cluster_status(document).quirks)


@given(JSON)
def test_any_page(document):
    with suppress(ValueError):
        parse.page(document)


@given(st.dictionaries(st.sampled_from(list(RECORD)), JSON))
def test_any_record(raw):
    record = parse.record(raw)
    text = json.dumps([record.id, record.gun], ensure_ascii=False)
    assert text.encode()  # no surrogates
    assert "\x00" not in text


@pytest.mark.parametrize(
    ("document", "seconds"),
    [
        ({"expires_in": 300}, 270),
        ({"expires_in": "300"}, 270),
        ({"expires_in": 60}, 48),
        ({}, 48),
        ({"expires_in": None}, 48),
        ({"expires_in": "soon"}, 48),
        ({"expires_in": "nan"}, 48),
        ({"expires_in": 1e999}, 48),
        ({"expires_in": 0}, 48),
        ({"expires_in": -5}, 48),
        ({"expires_in": []}, 48),
        ({"expires_in": 10**400}, 48),
        ({"expires_in": 10**9}, 86370),
        ({"expires_in": 1}, 0.8),
    ],
)
def test_how_long_a_token_is_used(document, seconds):
    assert parse_token({"token": "t"} | document).seconds == pytest.approx(seconds)


def test_a_token_by_its_other_name():
    assert parse_token({"access_token": "t"}).text == "t"
    assert "secret" not in repr(parse_token({"token": "secret"}))


@pytest.mark.parametrize(
    "document", [None, [], {}, {"token": ""}, {"token": 5}, {"token": "a\r\nX: y"}, {"token": "ä"}]
)
def test_no_token(document):
    with pytest.raises(ValueError):
        parse_token(document)


@pytest.mark.parametrize(
    ("gun", "host", "repository"),
    [
        ("msr.example.com/prod/app", "msr.example.com", "prod/app"),
        ("MSR.example.com/prod/app", "MSR.example.com", "prod/app"),
        ("msr.example.com:4443/prod/app", "msr.example.com:4443", "prod/app"),
        ("other.example.com/prod/app", "other.example.com", "prod/app"),
        ("localhost/prod/app", "localhost", "prod/app"),
        ("localhost:5000/app", "localhost:5000", "app"),
        ("prod/app", "", "prod/app"),
        ("my.team/app", "", "my.team/app"),
        ("msr.example.com/app", "msr.example.com", "app"),
        ("a/b/c", "", "a/b/c"),
        ("app", "", "app"),
        ("", "", ""),
        ("/", "", "/"),
    ],
)
def test_guns(gun, host, repository):
    assert split(gun, "msr.example.com") == Gun(host, repository)


def test_texts():
    assert printable("a\tb\nc") == "a\tb\nc"
    assert printable("\x1b]0;x\x07\u202e\u200b\x85") == "\ufffd]0;x\ufffd\ufffd\ufffd\ufffd"
    assert one_line(" a\n\n b\tc ", 10) == "a b c"
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abcd", 4) == "abcd"
