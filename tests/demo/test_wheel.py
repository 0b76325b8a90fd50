"""The wheel, installed outside the checkout, has everything that it needs."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.demo.playing import Playing

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _only_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With it a checkout would come before what is installed."""
    monkeypatch.delenv("PYTHONPATH", raising=False)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`msr-relay` from a wheel, in an environment of its own that borrows this one's libraries."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    venv = folder / "venv"
    _run(sys.executable, "-m", "venv", "--without-pip", str(venv), cwd=folder)
    python = venv / "bin" / "python"
    site = _run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder)
    # Lines of a .pth are not searched for further .pth files, so an editable install is not borrowed.
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(site.strip()) / "borrowed.pth").write_text("\n".join(sorted(libraries)) + "\n")
    pip = (sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check")
    _run(*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel), cwd=folder)
    return venv / "bin" / "msr-relay"


def test_its_modules_and_templates_are_its_own(program: Path) -> None:
    code = "import relay; print(relay.__file__)"
    found = Path(_run(str(program.parent / "python"), "-c", code, cwd=program.parent).strip())
    assert found.is_relative_to(program.parent.parent)
    for template in ("webhook/default.json.j2", "pages/acknowledge.html.j2", "pages/style.css"):
        assert (found.parent / "templates" / template).is_file()
    assert (found.parent / "server" / "assets" / "htmx.min.js").is_file()


def test_the_demonstration_plays(program: Path, tmp_path: Path) -> None:
    playing = Playing(tmp_path, "--pace", "100", command=(str(program),), cwd=tmp_path)
    try:
        assert (playing.end(), playing.errors, playing.left) == (0, "", [])
        assert "✔ Nothing lost" in playing.output
    finally:
        playing.close()


def test_a_configuration_is_checked_with_all_templates(program: Path, tmp_path: Path) -> None:
    (tmp_path / "relay.yaml").write_text(
        "clusters: [{name: prod, url: https://msr.example.com, username: relay, password: secret}]\n"
        "channels: [{name: ops, kind: console}]\n"
    )
    (tmp_path / "relay.yaml").chmod(0o600)
    said = _run(str(program), "check", cwd=tmp_path)
    assert "prod" in said
    assert "changefeed" in said
    _run(str(program), "render", "trust.deleted", "--kind", "email", "--event", "trust.deleted", cwd=tmp_path)


def _run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
