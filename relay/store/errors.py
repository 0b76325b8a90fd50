"""What the store raises of its own."""

from relay.model.errors import StoreError


class CursorMovedError(StoreError):
    """Somebody else has moved the cursor: what was read belongs to an old position and is not kept."""
