"""What templates were compiled to, kept in this process: most of the time of a first look goes into that."""

from jinja2.bccache import Bucket, BytecodeCache


class Compiled(BytecodeCache):
    """Compiled templates by name and source: settings that are loaded anew do not change them.

    ``most`` of them are kept, none longer than ``longest`` bytes; None: without a bound, for what is shipped.
    """

    def __init__(self, most: int | None = None, longest: int | None = None) -> None:
        self._most, self._longest = most, longest
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what is kept, if it is of the same source."""
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        code = bucket.bytecode_to_string()
        if self._most is not None and len(self._kept) >= self._most:
            self._kept.clear()
        if self._longest is None or len(code) <= self._longest:
            self._kept[bucket.key] = code
