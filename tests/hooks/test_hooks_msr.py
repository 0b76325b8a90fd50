"""MSR's webhooks: each of its types becomes an event that tells what happened."""

from datetime import UTC, datetime
from typing import Any

import pytest

from relay.engine.planning import event_of
from relay.engine.policy import Policy
from relay.hooks import UnreadableError, read
from relay.model.catalogue import CATALOGUE
from relay.model.event import Event, SubjectKind
from relay.model.severity import Severity
from tests.hooks.posts import DIGEST, IMAGE, MSR, NOW, body, posted

REPOSITORY = {"namespace": "prod", "repository": "app", "event": "REPO_DELETED", "author": "ann", "data": {}}
CHART = {
    "namespace": "prod",
    "repository": "charts",
    "author": "ann",
    "data": {"name": "web", "version": "2"},
}
SCAN = {"critical": 2, "major": 7, "minor": 31, "last_scan_status": 6}
MANIFEST = {key: value for key, value in IMAGE.items() if key != "tag"}
SAYS = {
    "TAG_PUSH": (IMAGE, "Tag prod/app:1.4 was pushed by ann"),
    "TAG_PULL": (IMAGE, "Tag prod/app:1.4 was pulled by ann"),
    "TAG_DELETE": (IMAGE | {"deletedAt": "2026-11-23T20:58:11Z"}, "Tag prod/app:1.4 was deleted by ann"),
    "MANIFEST_PUSH": (MANIFEST, "Manifest prod/app@sha256:9f2c1c7be0e4 was pushed by ann"),
    "MANIFEST_PULL": (MANIFEST, "Manifest prod/app@sha256:9f2c1c7be0e4 was pulled by ann"),
    "MANIFEST_DELETE": (MANIFEST, "Manifest prod/app@sha256:9f2c1c7be0e4 was deleted by ann"),
    "SCAN_COMPLETED": (
        IMAGE | {"scanSummary": SCAN},
        "Image prod/app:1.4 was scanned: 2 critical, 7 major, 31 minor",
    ),
    "SCAN_FAILED": (IMAGE | {"error": "no\nroom"}, "Image prod/app:1.4 could not be scanned: no room"),
    "PROMOTION": (IMAGE, "Image prod/app:1.4 was promoted by ann"),
    "PUSH_MIRRORING": (IMAGE, "Image prod/app:1.4 was mirrored to another registry by ann"),
    "POLL_MIRRORING": (IMAGE, "Image prod/app:1.4 was mirrored from another registry by ann"),
    "REPO_CREATED": (REPOSITORY, "Repository prod/app was created by ann"),
    "REPO_UPDATED": (REPOSITORY, "Repository prod/app was updated by ann"),
    "REPO_DELETED": (REPOSITORY, "Repository prod/app was deleted by ann"),
    "SCANNER_UPDATE_COMPLETED": (
        {"scanner_version": "3", "db_version": 1407, "success": True, "replicas": {}},
        "The vulnerability scanner was updated to database version 1407",
    ),
    "CHART_PUSH": (CHART, "Chart web 2 of prod/charts was pushed by ann"),
    "CHART_PULL": (CHART, "Chart web 2 of prod/charts was pulled by ann"),
    "CHART_DELETE": (CHART, "Chart web 2 of prod/charts was deleted by ann"),
    "CHART_LINTED": (CHART, "Chart web 2 of prod/charts was linted by ann"),
}


def event(document: Any) -> Event:
    report = read(MSR, body(document), NOW)
    (fact,) = report.facts
    made = event_of(fact, report, Policy())
    CATALOGUE[made.type].details.model_validate(made.details)
    return made


@pytest.mark.parametrize("msr_type", SAYS)
def test_what_each_type_says(msr_type: str) -> None:
    contents, summary = SAYS[msr_type]
    found = event(posted(msr_type, contents))
    assert (found.type, found.summary) == (f"msr.{msr_type.lower()}", summary)
    assert (found.cluster, found.severity) == ("prod", CATALOGUE[found.type].severity)
    assert found.happened_at == datetime(2026, 11, 23, 20, 58, 11, 165146, tzinfo=UTC)
    assert found.details["contents"] == contents


def test_the_catalogue_has_every_type() -> None:
    assert {f"msr.{name.lower()}" for name in SAYS} | {"msr.event"} == {
        name for name in CATALOGUE if name.startswith("msr.")
    }


def test_details_and_subject() -> None:
    found = event(posted("TAG_PUSH"))
    assert (found.subject.kind, found.subject.name) == (SubjectKind.REPOSITORY, "prod/app")
    details = dict(found.details)
    assert details.pop("contents") == IMAGE
    assert details == {
        "hook": "prod-msr", "msr_type": "TAG_PUSH", "author": "ann", "msr_version": "2.9.16",
        "location": "https://msr.example.com/repositories/prod/app/tags",
        "tag": "1.4", "digest": DIGEST, "image": "msr.example.com/prod/app:1.4", "os": "linux",
        "architecture": "amd64",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("document", "summary", "subject"),
    [
        (posted("TAG_SEALED"), "MSR posted TAG_SEALED about prod/app by ann", "prod/app"),
        (posted("TAG_SEALED", None), "MSR posted TAG_SEALED", "prod"),
        ({"type": "X\u202e\x1b"}, "MSR posted X\ufffd\ufffd", "prod"),
    ],
)
def test_an_unknown_type_is_an_event_too(document: Any, summary: str, subject: str) -> None:
    found = event(document)
    assert (found.type, found.summary, found.subject.name) == ("msr.event", summary, subject)


def test_an_old_dtr_says_in_the_contents_what_happened_to_a_repository() -> None:
    assert event(posted("REPO_EVENT", REPOSITORY)).type == "msr.repo_deleted"


def test_a_failed_update_of_the_scanner_is_a_warning() -> None:
    found = event(posted("SCANNER_UPDATE_COMPLETED", {"success": False}))
    assert (found.summary, found.severity) == (
        "The vulnerability scanner could not be updated",
        Severity.WARNING,
    )
    assert (found.subject.kind, found.subject.name) == (SubjectKind.CLUSTER, "prod")


@pytest.mark.parametrize("contents", [None, [], "text", {}, {"namespace": 1, "tag": {}, "scanSummary": "x"}])
@pytest.mark.parametrize("msr_type", SAYS)
def test_nothing_but_the_type_is_needed(msr_type: str, contents: Any) -> None:
    assert event(posted(msr_type, contents)).type == f"msr.{msr_type.lower()}"


class TestIdentity:
    def test_the_same_is_one_event_whatever_the_order_of_its_keys(self) -> None:
        first = event(posted("TAG_PUSH", IMAGE))
        assert event(posted("TAG_PUSH", dict(reversed(IMAGE.items())))).id == first.id

    @pytest.mark.parametrize(
        "other",
        [
            posted("TAG_PULL"),
            posted("TAG_PUSH", IMAGE | {"tag": "1.5"}),
            posted("TAG_PUSH", createdAt="2026-11-23T20:58:12Z"),
        ],
    )
    def test_anything_else_is_another(self, other: Any) -> None:
        assert event(other).id != event(posted("TAG_PUSH")).id


@pytest.mark.parametrize("at", [None, 5, "yesterday", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_without_a_time_that_is_meant_it_happened_now(at: Any) -> None:
    assert event(posted("TAG_PUSH", createdAt=at)).happened_at == NOW


def test_contents_are_kept_up_to_a_size() -> None:
    found = event(posted("REPO_CREATED", REPOSITORY | {"data": {"x": "y" * 20_000}}))
    assert (found.details["contents"], found.subject.name) == (None, "prod/app")


@pytest.mark.parametrize(
    "location", ["javascript:alert(1)", "https://user:secret@msr.example.com/", "https://x/ y", 3]
)
def test_only_what_can_be_a_link_is_one(location: Any) -> None:
    assert event(posted("TAG_PUSH", location=location)).details["location"] is None


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"", "it is no JSON"),
        (b"payload=1", "it is no JSON"),
        (b"\xff{}", "it is no JSON"),
        (b'{"type": "TAG_PUSH", "x": NaN}', "it is no JSON"),
        (b'{"type": "TAG_PUSH", "x": 1e999}', "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
        (b"[]", "it is no JSON object"),
        (b'{"type": "TAG_PUSH", "contents": ' + b'{"a":' * 40 + b"1" + b"}" * 41, "nested more than 32 deep"),
        (b"{}", 'it has no "type"'),
        (b'{"type": 5}', 'it has no "type"'),
        (b'{"type": ""}', 'it has no "type"'),
    ],
)
def test_what_is_none_of_it(sent: bytes, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        read(MSR, sent, NOW)
