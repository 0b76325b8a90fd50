"""Templates of users: lookup, one block replaced, errors, the sandbox."""

import json
from pathlib import Path

import pytest

from relay.model.event import Status
from relay.model.samples import sample
from relay.render import Renderer, Telling, TemplateError
from tests.render.helpers import PUBLIC, StillClock, telling

TOLD = telling(sample("trust.deleted"))


def renderer(tmp_path: Path, **files: str) -> Renderer:
    """`slack__mine__json` becomes slack/mine.json.j2."""
    for name, text in files.items():
        folder, _, rest = name.partition("__")
        path = tmp_path / folder / (rest.replace("__", ".") + ".j2")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return Renderer([tmp_path], clock=StillClock(), public_url=PUBLIC)


def one(tmp_path: Path, source: str, told: Telling = TOLD, part: str = "txt") -> str:
    made = renderer(tmp_path, **{f"console__default__{part}": source})
    return made.render("console", [part], told)[part]


def failure(tmp_path: Path, source: str, part: str = "txt") -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        one(tmp_path, source, part=part)
    return caught.value


def test_the_rule_comes_before_the_type_before_the_default(tmp_path: Path) -> None:
    made = renderer(
        tmp_path, console__mine__txt="mine", console__trust__deleted__txt="type", console__group__txt="group"
    )
    assert made.render("console", ["txt"], TOLD, "mine") == {"txt": "mine"}
    assert made.render("console", ["txt"], TOLD) == {"txt": "type"}
    assert "signed 2.1" in made.render("console", ["txt"], telling(sample("trust.updated")))["txt"]
    assert (
        made.render("console", ["txt"], telling(sample("trust.deleted"), sample("store.failing")))["txt"]
        == "group"
    )
    assert made.names("console") == ("default", "group", "mine", "trust.deleted")
    assert "mine" not in made.names("slack")


def test_a_template_may_have_some_parts_and_kinds_only(tmp_path: Path) -> None:
    made = renderer(tmp_path, email__mine__html="<p>{{ event.summary }}</p>")
    parts = made.render("email", ["subject.txt", "html"], TOLD, "mine")
    assert parts["html"] == "<p>Trust data of prod/app was deleted</p>"
    assert parts["subject.txt"].startswith("[prod] CRITICAL")
    assert made.render("console", ["txt"], TOLD, "mine") == made.render("console", ["txt"], TOLD)


def test_a_template_that_is_nowhere_is_an_error(tmp_path: Path) -> None:
    made = renderer(tmp_path, slack__terse__json="{}")
    with pytest.raises(TemplateError) as caught:
        made.render("slack", ["json"], TOLD, "tersee")
    assert str(caught.value) == (
        "slack/tersee.json.j2: there is no template 'tersee' for any kind of channel; did you mean 'terse'?"
    )
    with pytest.raises(TemplateError, match=r"pager/default\.txt\.j2: there is no such template"):
        made.render("pager", ["txt"], TOLD)


def test_one_block_of_the_shipped_template_is_replaced(tmp_path: Path) -> None:
    source = (
        '{% extends "shipped/slack/default.json.j2" %}{% block advice %}{"type": "divider"},{% endblock %}'
    )
    made = renderer(tmp_path, slack__default__json=source)
    mine = json.loads(made.render("slack", ["json"], TOLD)["json"])["blocks"]
    theirs = json.loads(renderer(tmp_path / "none").render("slack", ["json"], TOLD)["json"])["blocks"]
    assert [block for block in mine if block["type"] == "divider"] == [{"type": "divider"}]
    advice = ("What to do", "Until the repository", "What was seen of it")
    replaced = [block["text"]["text"] for block in theirs if block not in mine]
    assert len(replaced) == len(advice)
    assert all(words in said for words, said in zip(advice, replaced, strict=True))
    assert made.check() == []


def test_a_block_can_use_what_the_shipped_template_says(tmp_path: Path) -> None:
    source = (
        '{% extends "email/default.subject.txt.j2" %}'
        "{% block title %}{{ say(event).headline }}: {{ super() }}{% endblock %}"
    )
    made = renderer(tmp_path, email__trust__deleted__subject__txt=source)
    subject = made.render("email", ["subject.txt"], TOLD)["subject.txt"]
    assert (
        subject == "Trust data of prod/app was deleted: [prod] CRITICAL: Trust data of prod/app was deleted"
    )


def test_what_a_type_says_is_replaced_for_every_channel(tmp_path: Path) -> None:
    source = '{% set headline = "GONE" %}{% set facts = [["Who", "x"]] %}{% set advice = [] %}'
    made = renderer(tmp_path, types__trust__deleted=source)
    assert made.render("email", ["subject.txt"], TOLD)["subject.txt"] == "[prod] CRITICAL: GONE"
    assert '"text": "*Who*\\nx"' in made.render("slack", ["json"], TOLD)["json"]


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("a\n\n{{ evnt.type }}", 3, "'evnt' is undefined; did you mean 'event'?"),
        ("{{ event.sumary }}", 1, "the event has no 'sumary'; did you mean 'summary'?"),
        ("{{ event.details.verison }}", 1, "the mapping has no 'verison'; did you mean 'version'?"),
        ("{{ zzzzzz }}", 1, "'zzzzzz' is undefined"),
        (
            "\n{{ event.summary | short_shaa }}",
            2,
            "there is no filter 'short_shaa'; did you mean 'short_sha'?",
        ),
        ("{{ 1 is evn }}", 1, "there is no test 'evn'; did you mean 'even'?"),
        ("\n\n{% if %}", 3, "Expected an expression, got 'end of statement block'"),
        ("{% include 'no/such.j2' %}", 1, "there is no template 'no/such.j2'"),
        ("{% include 'console/default.txt.j2' %}", 1, "the template includes or calls itself without end"),
        ("{{ 1 / 0 }}", 1, "division by zero"),
        ("{{ 'x' | localtime }}", 1, "'x' is not a time"),
        ("{{ none | duration }}", 1, "`duration` takes seconds or a difference of times"),
        (
            "{{ range(10000000) }}",
            1,
            "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).",
        ),
    ],
)
def test_errors_say_where_and_what(tmp_path: Path, source: str, line: int, message: str) -> None:
    error = failure(tmp_path, source)
    assert (error.template, error.line, error.message) == ("console/default.txt.j2", line, message)
    assert str(error) == f"console/default.txt.j2, line {line}: {message}"


def test_an_error_in_a_file_that_is_used_names_that_file(tmp_path: Path) -> None:
    made = renderer(tmp_path, types__trust__deleted="{% set headline = 1 %}\n{% set facts = evnt.x %}")
    with pytest.raises(TemplateError) as caught:
        made.render("slack", ["json"], TOLD)
    assert str(caught.value) == "types/trust.deleted.j2, line 2: 'evnt' is undefined; did you mean 'event'?"


def test_check_finds_every_fault_once(tmp_path: Path) -> None:
    made = renderer(
        tmp_path,
        slack__mine__json='{"text": "{{ evnt }}"}',
        slack__broken__json='{"text": "x",}',
        webhook__cluster__issue__json="{% if resolved %}{{ event.details.isue_type }}{% endif %}{}",
        console__odd__txt="{% for %}",
    )
    found = [str(error) for error in made.check()]
    assert len(found) == 4
    assert found[0].startswith("console/odd.txt.j2, line 1: ")
    assert found[1].startswith("slack/broken.json.j2: makes no valid JSON of a sample of trust.deleted: ")
    assert found[2] == "slack/mine.json.j2, line 1: 'evnt' is undefined; did you mean 'event'?"
    assert found[3].startswith("webhook/cluster.issue.json.j2, line 1: the mapping has no 'isue_type'")


@pytest.mark.parametrize(
    "source",
    [
        "{{ event.__class__.__mro__ }}",
        "{{ ''.__class__ }}",
        "{{ say.__globals__ }}",
        "{{ event.to_json.__func__ }}",
        "{{ event | attr('__class__') }}",
        "{{ '{0.__class__}'.format(event) }}",
        "{{ event.details.update({'a': 1}) }}",
        "{{ event.details.clear() }}",
        "{{ events | map(attribute='__class__') | first }}",
        "{{ self.__init__ }}",
        "{% include '../../etc/passwd' %}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_nothing_leaves_the_sandbox(tmp_path: Path, source: str) -> None:
    failure(tmp_path, source)


def test_values_are_escaped_for_their_place_without_being_asked(tmp_path: Path) -> None:
    event = sample("relay.test")
    bad = "<b>\"&'\\\n`"
    told = telling(event, rule=bad)
    source = (
        "{% macro m() %}{{ rule }}{% endmacro %}{{ rule }}|{{ m() }}|{% set x %}{{ rule }}{% endset %}{{ x }}"
    )
    made = renderer(
        tmp_path,
        pager__default__json=f'"{source}"',
        slack__mine__json=f'"{source}"',
        pager__default__html=source,
        pager__default__txt=source,
    )
    assert json.loads(made.render("pager", ["json"], told)["json"]).split("|") == [bad] * 3
    slack = json.loads(made.render("slack", ["json"], told, "mine")["json"])
    assert slack.split("|") == [bad.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")] * 3
    assert made.render("pager", ["html"], told)["html"].split("|") == ["&lt;b&gt;&#34;&amp;&#39;\\\n`"] * 3
    assert made.render("pager", ["txt"], told)["txt"].split("|") == [bad] * 3


@pytest.mark.parametrize("part", ["json", "html", "txt"])
def test_tojson_is_json_everywhere(tmp_path: Path, part: str) -> None:
    told = telling(sample("cluster.issue", Status.RESOLVED), rule="</script><!channel>&'\"")
    text = one(
        tmp_path,
        "{{ {'rule': rule, 'at': event.ends_at, 'for': lasted, 'event': event} | tojson }}",
        told,
        part,
    )
    found = json.loads(text)
    assert found["rule"] == "</script><!channel>&'\""
    assert found["at"] == "2026-11-23T21:07:11.165146Z"
    assert found["for"] == 540.0
    assert found["event"]["severity"] == "critical"
    assert part != "html" or "<" not in text


def test_slack_escapes_once_however_it_is_asked(tmp_path: Path) -> None:
    source = (
        '["{{ rule }}", "{{ rule | slack_escape }}", {{ rule | tojson }}, '
        '{{ rule | slack_escape | tojson }}, "{{ rule | code }}"]'
    )
    made = renderer(tmp_path, slack__mine__json=source)
    found = json.loads(
        made.render("slack", ["json"], telling(sample("relay.test"), rule="<!here>`"), "mine")["json"]
    )
    assert found == ["&lt;!here&gt;`"] * 4 + ["`&lt;!here&gt;'`"]


def test_the_context_is_what_the_reference_says(tmp_path: Path) -> None:
    source = (
        "{{ status }} {{ firing }} {{ resolved }} {{ level }} {{ severity }} {{ lasted | duration }} "
        "{{ count }} {{ grouped }} {{ missed }} {{ rule }} {{ channel }} {{ delivery }} {{ replay_of }} "
        "{{ relay.public_url }} {{ now | localtime }} "
        "{{ links.event == payload.data.links.event }} {{ about }} {{ quorum(5) }}"
    )
    assert one(tmp_path, source, telling(sample("replica.readonly", Status.RESOLVED))) == (
        "resolved False True RESOLVED warning 9m 1 False False trust deletions security dlv_1 None "
        f"{PUBLIC} 2026-11-23 21:00:00 UTC True A replica takes no writes. 3"
    )
