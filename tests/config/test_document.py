"""Reading YAML: positions, the core schema, and everything that a file may not do."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.config import document
from relay.config.tree import Document, Items, Loc, Node, Scalar, Table, child, leaves, plain
from relay.model.errors import ConfigError


def parsed(text: str) -> Any:
    return plain(document.parse(text, "relay.yaml"))


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        document.parse(text, "relay.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    "word", ["off", "on", "yes", "no", "Off", "y", "n", "NO", "12:30", "1:30:00", "190:20"]
)
def test_words_of_yaml_1_1_stay_text(word: str) -> None:
    assert parsed(f"a: {word}\n{word}: b") == {"a": word, word: "b"}


@pytest.mark.parametrize(
    "word", ["2026-11-23", "2026-11-23T20:58:11Z", "0b11", "1_000", "=", ".inf", ".nan", "+.INF"]
)
def test_what_only_looks_like_a_value_stays_text(word: str) -> None:
    assert parsed(f"a: {word}") == {"a": word}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-1e3", -1000.0),
        ("'true'", "true"),
        ('"12"', "12"),
        ("!!str 12", "12"),
        ("!!int 12", 12),
        ("|\n  off", "off"),
    ],
)
def test_core_schema(word: str, value: object) -> None:
    found = parsed(f"a: {word}")["a"]
    assert found == value
    assert type(found) is type(value)


def test_positions_count_from_one_in_characters() -> None:
    tree = Document(document.parse("ä:\n  - {b: ü, cé: [1, off]}\n", "r.yaml"))
    assert tree.where(("ä",)) == "r.yaml:2:3"
    assert tree.where(("ä", 0, "b")) == "r.yaml:2:9"
    assert tree.where_key(("ä", 0, "cé")) == "r.yaml:2:12"
    assert tree.where(("ä", 0, "cé", 1)) == "r.yaml:2:20"
    assert tree.where(("ä", 0, "cé", 7)) == "r.yaml:2:16"
    assert tree.describe(("ä", 0, "cé", 1)) == "ä[0].cé[1]"


def test_an_empty_file_is_an_empty_mapping() -> None:
    assert parsed("") == parsed("# nothing\n") == parsed("---\n") == {}


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "relay.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert plain(document.read(path)) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "where", "part"),
    [
        ("a: 1\nb:\n\t- c\n", ":3:1: ", "a tab cannot indent"),
        ("a: 1\na: 2\n", ":2:1: ", '"a" was already written in line 1'),
        ("x: {a: 1, b: 2, a: 3}\n", ":1:17: ", "already written"),
        ("a: [1,\nb: 2\n", ":1:4: ", "not closed"),
        ("a: {b: 1\n", ":1:4: ", "not closed"),
        ("a: [${B}, c]\n", ":1:4: ", "must be quoted"),
        ("a: 'x\n", ":1:4: ", "never closed"),
        ("a: @x\n", ":1:4: ", "put the value in quotes"),
        ("a: b: c\n", ":1:5: ", "in: a: …"),
        ("- a\n", ":1:1: ", "must be a mapping"),
        ("text\n", ":1:1: ", "must be a mapping"),
        ("a: 1\n---\nb: 2\n", ":2:1: ", "second document"),
        ("? [a]\n: 1\n", ":1:3: ", "key must be text"),
        ("'': 1\n", ":1:1: ", "key must be text"),
        ("d: &d {a: 1}\nb:\n  <<: *d\n", ":3:3: ", "merge keys"),
        ("a: \x07\n", ":1:4: ", "U+0007"),
        ("a: &a [*a]\n", ":1:8: ", "part of"),
        ("a: *b\n", ":1:4: ", "anchor"),
        ("a: !!python/object:os.system x\n", ":1:4: ", "YAML tag"),
        ("a: !!binary aGk=\n", ":1:4: ", "YAML tag"),
        ("a: !!set {x}\n", ":1:4: ", "YAML tag"),
        ("a: !!int x\n", ":1:4: ", "does not suit"),
        ("%YAML 3.0\n---\na: 1\n", ":1:1: ", "YAML 1.x"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, where: str, part: str) -> None:
    message = refusal(text)
    assert message.startswith("relay.yaml" + where)
    assert part in message


@pytest.mark.parametrize(
    "text",
    [
        "p: *{s}",
        "p: !{s} x",
        "p: &{s} @",
        'p: "{s}',
        "p: '{s}",
        'p: "\\{s}"',
        "p: @{s}",
        "p: a: {s}",
        "p: [{s}",
        "p: {{{s}: [",
        "- {s}\nb",
        "p: |{s}",
        "p: {s}\n\tx: 1",
        "p: !!int {s}",
        "p: >\n  a\n {s}\nb",
        "%{s}\n---\n- {s}",
    ],
)
def test_no_error_repeats_a_value(text: str) -> None:
    message = refusal(text.format(s="hunter2secret"))
    assert "hunter2" not in message


def test_aliases_are_read() -> None:
    assert parsed("a: &x [1, off]\nb: *x") == {"a": [1, "off"], "b": [1, "off"]}


def test_an_alias_bomb_is_refused_before_it_is_expanded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "more than 200000 values" in refusal("\n".join(lines))


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000])
def test_deep_nesting_is_refused(text: str) -> None:
    assert "levels deep" in refusal(text)


def test_many_values_are_refused() -> None:
    assert "more than 200000 values" in refusal("a:\n" + "- 1\n" * 200_001)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (document.MAX_BYTES + 1))
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: 1\nb: \xe9\n")
    for path, part in [
        (large, "larger than 4 MiB"),
        (latin, "latin.yaml:2:1: is not UTF-8"),
        (tmp_path / "none", "No such file"),
        (tmp_path, "Is a directory"),
    ]:
        with pytest.raises(ConfigError, match=part):
            document.read(path)


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)
data = st.dictionaries(
    words.filter(bool),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**30), 10**30) | words | st.floats(-1e9, 1e9),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words.filter(bool), inner, max_size=4),
        max_leaves=15,
    ),
    max_size=5,
)


@settings(deadline=None)
@given(data, st.booleans())
def test_random_trees_come_back_with_their_positions(tree: dict[str, Any], flow: bool) -> None:
    # JSON's quoting is YAML's, and what is quoted is text in YAML 1.1 and 1.2 alike.
    text = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True, default_style='"', width=10_000)
    node = document.parse(text, "r.yaml")
    assert plain(node) == tree
    lines = text.split("\n")
    for loc, leaf in leaves(node):
        source = lines[leaf.origin.line - 1][leaf.origin.column - 1 :]
        if isinstance(leaf.value, str):
            assert source.startswith(('"', "? ")), (loc, source)
        else:
            assert source.startswith("!!"), (loc, source)
    assert all(position_order(node))


def position_order(node: Node) -> list[bool]:
    """Nothing is written before what it is part of."""
    match node:
        case Table(entries, origin):
            below: list[Node] = [entry.value for entry in entries.values()]
        case Items(members, origin):
            below = list(members)
        case Scalar():
            return []
    mine = [(part.origin.line, part.origin.column) >= (origin.line, origin.column) for part in below]
    return mine + [ok for part in below for ok in position_order(part)]


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from("ab:-[]{}\"'&*!|>%@`\n\t ,?#~0\\é"), max_size=60))
def test_no_text_fails_but_with_our_error(text: str) -> None:
    try:
        found: object = document.parse(text, "r.yaml")
    except ConfigError as error:
        found = error
    assert isinstance(found, Table) or str(found).startswith("r.yaml:")


def test_a_step_that_leads_nowhere() -> None:
    root = document.parse("a: [1]", "r.yaml")
    missing: list[Loc] = [("b",), ("a", 1), ("a", "x"), ("a", -1)]
    for loc in missing:
        node: Node | None = root
        for step in loc:
            node = child(node, step)
        assert node is None


def test_secrets_are_not_in_a_repr() -> None:
    root = document.parse("a: [hunter2, {b: hunter2}]", "r.yaml")
    assert "hunter2" not in repr(root) + repr(root.entries["a"]) + repr(Document(root)) + repr(
        list(leaves(root))
    )
