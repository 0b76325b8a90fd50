"""The arithmetic of a cluster: how many replicas it takes."""


def quorum(replicas: int) -> int:
    """Return how many of so many replicas have to be healthy (source: MSR's documentation)."""
    return replicas // 2 + 1
