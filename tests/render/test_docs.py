"""The reference is made from the code and stays so; the samples keep to the published schemas."""

import json
from pathlib import Path

import jsonschema
import pytest

from relay.model.catalogue import CATALOGUE
from relay.model.event import Event
from relay.render import payload
from relay.render.environment import CONTEXT
from relay.render.filters import FILTERS, TIMED
from relay.render.reference import SCHEMAS, SEVERAL, pages, payload_schema
from relay.render.renderer import shipped
from relay.render.trial import samples
from tests.render.helpers import PUBLIC, every_event, flapping, hostile, telling

ROOT = Path(__file__).parents[2]
REMEDY = "run: python -m relay.render.reference"


def test_the_reference_is_fresh() -> None:
    stale = [str(path) for path, text in pages(ROOT).items() if not path.exists() or path.read_text() != text]
    assert stale == [], REMEDY


def test_no_schema_outlives_its_type() -> None:
    assert {path.stem for path in (ROOT / SCHEMAS).iterdir()} == set(CATALOGUE), REMEDY


def test_the_reference_names_every_name_filter_and_block() -> None:
    text = (ROOT / "docs/reference/templates.md").read_text()
    for name in (*CONTEXT, *FILTERS, *TIMED, "tojson"):
        assert f"| `{name}" in text
    for file in shipped().glob("*/default.*.j2"):
        assert file.relative_to(shipped()).as_posix() in text


def test_every_type_has_its_own_words() -> None:
    assert {path.stem for path in (shipped() / "types").iterdir()} == {*CATALOGUE, "default"}


@pytest.mark.parametrize("type_name", CATALOGUE)
def test_the_schema_is_one(type_name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(payload_schema(type_name))


EVENTS = [
    *every_event(),
    *(flapping(name, changes) for name, kind in CATALOGUE.items() if kind.lasting for changes in (7, 0)),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"{event.type}-{event.status}")
def test_samples_keep_to_their_schema(event: Event) -> None:
    schema = json.loads((ROOT / SCHEMAS / f"{event.type}.json").read_text())
    for told in (event, hostile(event, "<\0\ud800>" * 2000)):
        for url in (PUBLIC, None):
            body = json.loads(json.dumps(payload(telling(told, replay_of="dlv_0"), url)))
            jsonschema.validate(body, schema, format_checker=jsonschema.FormatChecker())


def test_several_keep_to_their_schema() -> None:
    schema = json.loads((ROOT / SEVERAL).read_text())
    events = list(every_event())
    for told in (telling(*events), telling(events[0], more=3, group={"cluster": "prod"}, replay_of="dlv_0")):
        body = json.loads(json.dumps(payload(told, PUBLIC)))
        jsonschema.validate(body, schema, format_checker=jsonschema.FormatChecker())
        del body["data"]["parts"]
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(body, schema)


@pytest.mark.parametrize("type_name", CATALOGUE)
def test_the_schema_refuses_another_body(type_name: str) -> None:
    body = payload(telling(samples(type_name)[0]), None)
    for key in body["data"]:
        less = {**body, "data": {name: value for name, value in body["data"].items() if name != key}}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(less, payload_schema(type_name))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**body, "type": "another"}, payload_schema(type_name))


@pytest.mark.parametrize("type_name", CATALOGUE)
def test_samples_have_the_fields_that_the_reference_lists(type_name: str) -> None:
    for event in samples(type_name):
        CATALOGUE[type_name].details.model_validate(event.details)
