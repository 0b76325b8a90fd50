"""The log: no secret, and nothing that writes to a terminal."""

import io
import logging

import pytest
import structlog

from relay.app.logs import set_up

SECRET = "first-line\nsecond/line"


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_secret_is_hidden_wherever_it_stands(form: str) -> None:
    out = io.StringIO()
    set_up("info", "json" if form == "json" else "console", [SECRET], out)
    log = structlog.get_logger("t")
    log.warning(
        f"text {SECRET}", one=SECRET, several=[SECRET], deep={"k": [SECRET]}, error=ValueError(SECRET)
    )
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("failed")
    logging.getLogger("asyncio").warning("a library says %s", SECRET)
    structlog.reset_defaults()
    assert "***" in out.getvalue()
    assert "second" not in out.getvalue()


def test_nothing_writes_to_the_terminal() -> None:
    out = io.StringIO()
    set_up("info", "console", [], out)
    try:
        raise ValueError("\x1b[2J gone")
    except ValueError:
        structlog.get_logger("t").exception("failed \x1b[2J", one="\x1b[2J")
    logging.getLogger("asyncio").warning("\x1b[2J")
    structlog.reset_defaults()
    assert "\x1b" not in out.getvalue()
