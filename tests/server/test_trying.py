"""Previews and explanations over the API: nothing is kept, nobody is told, and nothing secret is shown."""

import json
from typing import Any

import pytest

from relay.engine.routing import Router
from relay.model.samples import sample
from relay.server import Running
from relay.settings import Settings
from tests.server.conftest import EVENT, Site
from tests.store import things

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN_OF_HOOK = "Bearer very-secret-value"
CHANNELS: list[dict[str, Any]] = [
    {
        "name": "soc",
        "kind": "webhook",
        "url": "https://hooks.example.com/t0ken-in-the-path-1",
        "secrets": SECRET,
        "headers": {"Authorization": TOKEN_OF_HOOK},
    },
    {"name": "ops", "kind": "slack", "webhook_url": "https://hooks.example.com/services/T0/B0/s3cret"},
]


@pytest.fixture
def site(site: Site) -> Site:
    site.settings = Settings.model_validate(
        {"channels": CHANNELS, "clusters": [{"name": "prod", "url": "https://msr.example.com"}]}
    )
    router = Router(site.settings.effective_rules, site.settings.channel_names, lambda _: lambda _event: True)
    site.running = Running(things.NOW, router)
    return site


async def look(site: Site, **wanted: Any) -> dict[str, Any]:
    status, said = await site.call("/templates/preview", wanted)
    assert status == 200, said
    found: dict[str, Any] = said
    return found


class TestPreview:
    async def test_a_sample_in_the_shipped_words(self, site: Site) -> None:
        found = await look(site, kind="slack", event={"type": "trust.deleted"})
        assert found["error"] is None
        assert json.loads(found["body"])["blocks"] == json.loads(found["parts"]["json"])["blocks"]
        assert found["bytes"] == len(found["body"].encode())

    async def test_a_stored_event(self, site: Site) -> None:
        found = await look(site, kind="console", event={"id": EVENT}, parts={"txt": "{{ event.id }}"})
        assert found["parts"] == {"txt": EVENT}

    async def test_a_pasted_one_and_what_it_lacks(self, site: Site) -> None:
        pasted = {"type": "trust.deleted", "cluster": "stage"}
        found = await look(
            site, kind="console", event={"document": pasted}, parts={"txt": "{{ event.cluster }}"}
        )
        assert found["parts"] == {"txt": "stage"}
        assert "taken from the sample of trust.deleted" in found["note"]

    async def test_what_is_typed_stands_in_for_one_part(self, site: Site) -> None:
        found = await look(site, kind="email", parts={"subject.txt": "Look: {{ event.type }}"})
        assert found["parts"]["subject.txt"] == "Look: trust.deleted"
        assert "<html" in found["parts"]["html"]
        assert {"name": "Subject", "value": "Look: trust.deleted"} in found["headers"]

    async def test_a_wrong_template_is_told_with_its_line_and_what_was_meant(self, site: Site) -> None:
        found = await look(site, kind="console", template="mine", parts={"txt": "\n{{ event.tipe }}"})
        assert found["parts"] is None
        error = found["error"]
        assert (error["template"], error["line"]) == ("console/mine.txt.j2", 2)
        assert error["suggestion"] == "type"

    async def test_what_makes_no_message_is_told(self, site: Site) -> None:
        found = await look(site, kind="slack", parts={"json": "[1]"})
        assert found["body"] is None
        assert "no JSON object" in found["error"]["message"]

    @pytest.mark.parametrize("source", ["[" * 2000, '{"text": ' * 900 + "1" + "}" * 900, '{{ "\ud800" }}'])
    async def test_what_nests_or_cannot_be_written_fails_nothing(self, site: Site, source: str) -> None:
        found = await look(site, kind="slack", parts={"json": source})
        assert found["error"] is not None

    async def test_beyond_slacks_limits(self, site: Site) -> None:
        blocks = (
            '{"blocks": [{% for i in range(60) %}{"type": "divider"}{{ "," if not loop.last }}{% endfor %}]}'
        )
        found = await look(site, kind="slack", parts={"json": blocks})
        assert found["warnings"] == ["it has 60 blocks: Slack takes 50, the rest is left out"]
        assert len(json.loads(found["body"])["blocks"]) == 50

    async def test_a_webhooks_headers_without_its_secrets(self, site: Site) -> None:
        found = await look(site, channel="soc", event={"type": "trust.deleted"})
        headers = {each["name"]: each["value"] for each in found["headers"]}
        assert headers["content-type"] == "application/json"
        assert headers["webhook-signature"] == "(computed when it is sent)"
        assert headers["Authorization"] == "(hidden)"
        whole = json.dumps(found)
        assert not any(each in whole for each in (SECRET, TOKEN_OF_HOOK, "t0ken-in-the-path"))

    async def test_several_things(self, site: Site) -> None:
        found = await look(site, kind="console", group=3, parts={"txt": "{{ count }} {{ reason }}"})
        assert found["parts"] == {"txt": "3 group"}

    @pytest.mark.parametrize(
        ("wanted", "status", "said"),
        [
            ({"kind": "slak"}, 404, "did you mean slack?"),
            ({"channel": "sock"}, 404, "did you mean soc?"),
            ({"kind": "slack", "channel": "soc"}, 404, "is of kind webhook"),
            ({"kind": "slack", "template": "trust.delted"}, 404, "did you mean trust.deleted?"),
            ({"kind": "slack", "parts": {"jsn": ""}}, 404, "did you mean json?"),
            ({"kind": "slack", "event": {"id": "evt_nothing"}}, 404, "no event evt_nothing"),
            ({"kind": "slack", "event": {"type": "a", "id": "b"}}, 422, "give one of"),
            ({"kind": "slack", "event": {"document": {}}}, 422, "has no type"),
            ({"kind": "slack", "reason": "group"}, 422, "several things"),
            ({"kind": "slack", "group": 21}, 422, "group"),
        ],
    )
    async def test_what_cannot_be_meant(
        self, site: Site, wanted: dict[str, Any], status: int, said: str
    ) -> None:
        answered, problem = await site.call("/templates/preview", wanted)
        assert (answered, said in problem["detail"]) == (status, True), problem


class TestExplain:
    async def test_who_gets_it_and_why(self, site: Site) -> None:
        status, said = await site.call("/rules/explain", {"event": {"type": "trust.deleted"}})
        assert status == 200
        assert said["store_read"]
        assert [each["channel"] for each in said["routes"]] == ["soc", "ops"]
        assert said["rules"][0]["matches"]

    async def test_a_pasted_event_that_no_rule_takes(self, site: Site) -> None:
        pasted = {"type": "cluster.issue", "status": "firing", "severity": "info"}
        status, said = await site.call("/rules/explain", {"event": {"document": pasted}})
        assert (status, said["routes"]) == (200, [])
        assert said["rules"][0]["misses"]

    @pytest.mark.parametrize(
        ("at", "told"),
        [
            ("0001-01-02T00:00:00Z", "within a year"),
            ("9999-12-30T00:00:00Z", "within a year"),
            ("9999-12-31T23:59:59Z", "at: "),
            (1700000000, "at: "),
        ],
    )
    async def test_times_that_are_too_far_or_none(self, site: Site, at: object, told: str) -> None:
        status, said = await site.call("/rules/explain", {"event": {"type": "trust.deleted"}, "at": at})
        assert (status, told in said["detail"]) == (422, True)

    async def test_an_event_at_the_end_of_the_calendar(self, site: Site) -> None:
        pasted = json.loads(sample("replica.unhealthy").to_json())
        pasted |= {"happened_at": "9999-12-31T23:59:59Z", "starts_at": "0001-01-01T00:00:00Z"}
        for path in ("/rules/explain", "/templates/preview"):
            extra = {"kind": "slack"} if "preview" in path else {}
            status, _ = await site.call(path, {"event": {"document": pasted}, **extra})
            assert status in (200, 422)
