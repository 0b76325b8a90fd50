"""The documents hold together: no link leads nowhere, and no example is broken."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
_YAML = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_link_leads_nowhere(document: Path) -> None:
    links = [match[0] for match in _LINK.findall(document.read_text())]
    missing = [
        link for link in links if "://" not in link and not (document.parent / link).resolve().exists()
    ]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_yaml_example_can_be_read(document: Path) -> None:
    for example in _YAML.findall(document.read_text()):
        assert isinstance(yaml.safe_load(example), dict)


def test_every_document_is_reached_from_the_readme() -> None:
    reached = {ROOT / "README.md"}
    todo = [ROOT / "README.md"]
    while todo:
        document = todo.pop()
        for link, _ in _LINK.findall(document.read_text()):
            target = (document.parent / link).resolve()
            if target.suffix == ".md" and target.exists() and target not in reached:
                reached.add(target)
                todo.append(target)
    assert set(DOCUMENTS) <= reached, set(DOCUMENTS) - reached
