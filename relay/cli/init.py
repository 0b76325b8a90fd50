"""``msr-relay init``: writes the files that a user fills in."""

import os
from pathlib import Path

from rich.text import Text

from relay.cli.output import console
from relay.cli.scaffold import DOTENV, RELAY_YAML
from relay.model.errors import RelayError


def init(folder: Path, *, force: bool) -> None:
    """Write relay.yaml and .env (readable by their owner only). Raises RelayError if one is there already."""
    wanted = {folder / "relay.yaml": RELAY_YAML, folder / ".env": DOTENV}
    # Also a broken link is there: it would be followed out of the folder.
    there = [str(path) for path in wanted if path.exists() or path.is_symlink()]
    if there and not force:
        verb = "exists" if len(there) == 1 else "exist"
        raise RelayError(f"{' and '.join(there)} {verb} already: nothing was written; --force replaces")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in wanted.items():
            _write(path, text)
    except OSError as error:
        raise RelayError(f"{error.filename or folder}: cannot be written: {error.strerror}") from None
    out = console()
    for path in wanted:
        out.print(Text(f"wrote {path}"))
    out.print(Text("\nNow fill in the URL and the user in relay.yaml, and the secrets in .env. Then:"))
    there_first = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    out.print(Text(f"  {there_first}msr-relay check --live", "bold"))


def _write(path: Path, text: str) -> None:
    """Replace the file whole: it never is half written, nor readable by others in between."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)
