"""What others post says as much as they told, and no more."""

import re
from dataclasses import replace
from typing import Any

import pytest

from relay.model.catalogue import CATALOGUE
from relay.model.event import Status
from relay.model.samples import sample
from relay.render import Renderer
from tests.render.helpers import telling

POSTED = [name for name in CATALOGUE if name.startswith("msr.")]


def text(renderer: Renderer, type_name: str, status: Status | None = None, **details: Any) -> str:
    event = sample(type_name, status)
    return renderer.render("email", ["txt"], telling(replace(event, details=details)))["txt"]


@pytest.mark.parametrize("type_name", POSTED)
def test_of_what_msr_left_out_nothing_is_said(renderer: Renderer, type_name: str) -> None:
    least = CATALOGUE[type_name].details.model_validate({"hook": "prod-msr", "msr_type": "X"}).plain()
    facts = text(renderer, type_name, **least).partition("\n\n")[2].partition("\n\n")[0]
    named = re.findall(r"^([\w ]+):", facts, re.MULTILINE)
    about = ["Repository"] if CATALOGUE[type_name].subject == "repository" else []
    assert named == [*about, "Posted as", "Happened at"]
    assert not re.search(r":\s*$", facts, re.MULTILINE)


def test_an_alert_without_anything_but_its_name(renderer: Renderer) -> None:
    details = sample("alertmanager.alert").details
    bare: dict[str, Any] = {
        **dict.fromkeys(details),
        "labels": {"alertname": "Up"},
        "notes": {},
        "name": "Up",
        "hook": "h",
    }
    facts = text(renderer, "alertmanager.alert", **bare).partition("\n\n")[2].partition("\n\n")[0]
    assert re.findall(r"^([\w ]+):", facts, re.MULTILINE) == ["Posted to", "Since"]


def test_an_alert_says_what_it_came_with(renderer: Renderer) -> None:
    details = sample("alertmanager.alert").details
    firing = text(renderer, "alertmanager.alert", **details)
    for part in ("92 % full", "MSR stops taking pushes", "mountpoint=/var/lib/docker", "prometheus.example"):
        assert part in firing
    over = text(renderer, "alertmanager.alert", Status.RESOLVED, **details)
    assert over.startswith("Over: DiskFull")


def test_a_deletion_says_what_to_do(renderer: Renderer) -> None:
    details = sample("msr.repo_deleted").details
    assert "whether that was meant" in text(renderer, "msr.repo_deleted", **details)
