"""The command line: what an operator types.

Every command imports what it needs when it runs, so that ``--help`` answers at once.
"""

import sys

from relay.model.errors import RelayError


def main() -> None:
    """Run a command; an error raised on purpose ends it with one clear text and its exit status."""
    from relay.cli.commands import app

    try:
        app(prog_name="msr-relay")
    except RelayError as error:
        if sys.stderr is not None:
            sys.stderr.write(f"{error}\n")
        sys.exit(int(error.exit))
