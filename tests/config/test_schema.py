"""The JSON Schema for editors."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import pytest
import yaml
from annotated_types import Ge
from hypothesis import given
from hypothesis import strategies as st

from relay.config import Duration, Section, Size, document, json_schema
from relay.config.tree import plain
from tests.config.sample import SAMPLE, Settings

SCHEMA = json_schema(Settings, "MSR Relay")
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def sample(*changes: tuple[str, str]) -> Any:
    text = SAMPLE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return plain(document.parse(text, "relay.yaml"))


def test_it_is_a_schema_of_its_dialect_and_json() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"] == "MSR Relay"
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_the_sample_is_valid() -> None:
    VALIDATOR.validate(sample())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("port: 587", "port: '${PORT}'"),
        ("page: 1000", "page: '${PAGE:-10}'"),
        ("tls: starttls", "tls: '${TLS}'"),
        ("ping: 10s", "ping: ${PING}s"),
        ("public_url: https://relay.example.com", "public_url: 'https://${HOST}'"),
        ("    after: 30s", "    stop: ${STOP}"),
        ("password: ${PROD_PASSWORD}", "password_file: /run/secrets/prod"),
        ('secrets: ["${SOC_SECRET}"]', "secrets_file: /run/secrets/soc, limit: 20kB"),
    ],
)
def test_what_may_be_written_is_valid(old: str, new: str) -> None:
    VALIDATOR.validate(sample((old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("port: 587", "port: smtp"),
        ("port: 587", "port: $PORT"),
        ("page: 1000", "page: 1001"),
        ("tls: starttls", "tls: maybe"),
        ("ping: 10s", "ping: 10"),
        ("store:", "stores:"),
        ("kind: slack", "kind: slak"),
        ("    password: ${PROD_PASSWORD}\n", ""),
        ("cluster.issue:", "cluster.isue:"),
        ("for: 30s", "fro: 30s"),
    ],
)
def test_what_may_not_be_written_is_not_valid(old: str, new: str) -> None:
    assert not VALIDATOR.is_valid(sample((old, new)))


def test_completions_descriptions_and_defaults_survive() -> None:
    tls = SCHEMA["$defs"]["Smtp"]["properties"]["tls"]
    assert tls["anyOf"][0]["enum"] == ["starttls", "tls", "none"]
    assert tls["default"] == "starttls"
    assert SCHEMA["$defs"]["Server"]["properties"]["listen"]["description"] == "Where to listen, host:port."
    assert SCHEMA["description"] == "Everything."


def test_secrets_are_plain_text() -> None:
    smtp = SCHEMA["$defs"]["Smtp"]["properties"]
    assert smtp["password"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert smtp["password_file"]["type"] == "string"
    assert "username_file" not in smtp
    assert '"password"' not in json.dumps([part for part in walk(SCHEMA) if "format" in part])


def walk(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [part for member in schema for part in walk(member)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(part for member in schema.values() for part in walk(member))]


def test_defaults_with_units_are_written_with_them() -> None:
    class Units(Section):
        limit: Size = 20_000
        wait: Annotated[Duration, Ge(timedelta(seconds=1))] = timedelta(minutes=90)

    found = json_schema(Units, "units")["properties"]
    assert (found["limit"]["default"], found["wait"]["default"]) == ("20kB", "1h30m")


@given(st.from_regex(r"\$\{[A-Z_]{1,8}(:-[a-z0-9]{0,5})?\}", fullmatch=True))
def test_every_scalar_may_be_a_reference(reference: str) -> None:
    def referred(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: part if key == "kind" else referred(part) for key, part in node.items()}
        return [referred(part) for part in node] if isinstance(node, list) else reference

    VALIDATOR.validate(referred(sample()))


def test_it_can_be_written_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA))
    assert yaml.safe_load(path.read_text()) == SCHEMA
