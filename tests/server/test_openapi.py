"""The OpenAPI document and its reader: complete, valid, and true to what is served."""

import json
import re

import pytest
from jsonschema import Draft202012Validator

from relay.model.access import Scope
from relay.server.api import OPERATIONS, ROOT, openapi
from relay.server.api.reference import PAGE, SCHEMA, schema, written
from tests.server.conftest import TOKEN, Site

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
DOCUMENT = openapi.document(OPERATIONS, "https://relay.example.com")


def test_every_operation_is_described_once() -> None:
    names = [each.name for each in OPERATIONS]
    assert len(set(names)) == len(names)
    described = {(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == {(each.method.lower(), each.shown) for each in OPERATIONS}
    assert DOCUMENT["servers"] == [{"url": "https://relay.example.com/api/v1"}]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_each_says_what_it_does_and_who_may(operation: openapi.Operation) -> None:
    found = DOCUMENT["paths"][operation.shown][operation.method.lower()]
    assert found["summary"]
    assert f"`{operation.scope}`" in found["description"]
    assert operation.scope is not Scope.READ or not operation.writes
    named = set(re.findall(r"\{(\w+)\}", operation.shown))
    assert {each["name"] for each in found["parameters"] if each["in"] == "path"} == named
    assert all(each["description"] for each in found["parameters"])
    assert ("Idempotency-Key" in str(found)) == (operation.writes and not operation.secret)


def test_every_reference_leads_somewhere_and_every_schema_is_one() -> None:
    text = json.dumps(DOCUMENT)
    schemas = DOCUMENT["components"]["schemas"]
    assert {ref.rpartition("/")[2] for ref in re.findall(r'"\$ref": "([^"]+)"', text)} <= set(schemas)
    for each in schemas.values():
        Draft202012Validator.check_schema(each)


def test_the_documents_are_fresh() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page, "run: make schema"
    assert SCHEMA.read_text(encoding="utf-8") == schema(), "run: make schema"


async def test_it_is_served_with_the_address_of_this_relay(site: Site) -> None:
    async with site.session.get(f"{ROOT}/openapi.json", headers=HEADERS) as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert (await answer.json())["servers"] == [{"url": "/api/v1"}]


async def test_people_can_read_it(site: Site) -> None:
    async with site.session.get("/api", headers=HEADERS) as answer:
        text = await answer.text()
        assert (answer.status, answer.content_type) == (200, "text/html")
    for each in OPERATIONS:
        assert f'id="{each.name}"' in text
        assert each.shown in text


@pytest.mark.parametrize("path", ["/api", f"{ROOT}/openapi.json"])
async def test_not_without_a_token(site: Site, path: str) -> None:
    async with site.session.get(path, allow_redirects=False) as answer:
        assert answer.status in (401, 303)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
async def test_no_operation_is_done_without_a_token(site: Site, operation: openapi.Operation) -> None:
    path = re.sub(r"\{\w+\}", "x", operation.shown)
    async with site.session.request(operation.method, ROOT + path, json={}) as answer:
        assert (answer.status, answer.content_type) == (401, "application/problem+json")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
