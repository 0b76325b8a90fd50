"""JSON for people to read."""

import json
from typing import Any, Final

READABLE: Final = 100_000
"""Characters that indented JSON may have; what would have more is on one line."""
_ENCODER: Final = json.JSONEncoder(indent=2, ensure_ascii=False)


def readable(value: Any) -> str:
    """Return a JSON value indented; on one line if it would be long or is nested deeply.

    A list of n members at a depth of d takes n · d blanks when it is indented: what is short on the wire
    could take all memory.
    """
    pieces: list[str] = []
    size = 0
    try:
        for piece in _ENCODER.iterencode(value):
            pieces.append(piece)
            size += len(piece)
            if size > READABLE:
                break
        else:
            return "".join(pieces)
    except RecursionError:
        pass
    return json.dumps(value, ensure_ascii=False)
