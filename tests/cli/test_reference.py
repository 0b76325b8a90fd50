"""What is made from the code is fresh; help is quick; statuses are all documented."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from relay.cli.commands import app
from relay.cli.reference import pages
from relay.model.errors import Exit

ROOT = Path(__file__).parents[2]
REMEDY = "run: make schema"


@pytest.mark.parametrize("page", [str(path.relative_to(ROOT)) for path in pages(ROOT)])
def test_the_page_is_fresh(page: str) -> None:
    assert (ROOT / page).read_text(encoding="utf-8") == pages(ROOT)[ROOT / page], REMEDY


def test_every_command_and_option_is_mentioned() -> None:
    text = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    todo = [("msr-relay", typer.main.get_command(app))]
    seen = 0
    while todo:
        path, command = todo.pop()
        # The options of no command stand before the first one.
        part = text.split(f"\n## {path}" if " " in path else "# Commands", 1)[-1].split("\n## ")[0]
        for parameter in command.params:
            if parameter.param_type_name == "option":
                seen += 1
                assert all(f"`{name}`" in part for name in parameter.opts), (path, parameter.name)
        todo += [(f"{path} {name}", each) for name, each in getattr(command, "commands", {}).items()]
    assert seen > 40


def test_every_exit_status_is_documented() -> None:
    text = (ROOT / "docs/reference/exit-codes.md").read_text(encoding="utf-8")
    for status in Exit:
        assert f"| {status.value} | `{status.name}` |" in text


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from relay.cli.commands import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'aiohttp', 'sqlalchemy', 'jinja2', 'rich', 'structlog', 'relay.settings'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stderr == "[]\n"
    assert "send-test" in ended.stdout
