"""Limits of a channel: how many messages in a time. Time is handed in."""

from collections import deque


class Window:
    """At most ``count`` in any stretch of ``seconds``, exactly: no burst at the border of two windows."""

    def __init__(self, count: int, seconds: float) -> None:
        self._seconds = seconds
        self._taken: deque[float] = deque(maxlen=count)

    def wait(self, now: float) -> float:
        """Return how many seconds from ``now`` the next message may go; 0 for at once."""
        if len(self._taken) < (self._taken.maxlen or 0):
            return 0.0
        return max(0.0, self._taken[0] + self._seconds - now)

    def take(self, now: float) -> None:
        """Count a message."""
        self._taken.append(now)
