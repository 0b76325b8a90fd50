"""Everything that the API does. A new resource is one file here and one line in ``OPERATIONS``."""

from typing import Final

from relay.server.api.operation import Operation
from relay.server.api.resources import (
    channels,
    clusters,
    deliveries,
    happenings,
    people,
    proofs,
    rules,
    status,
    tokens,
    trying,
)

OPERATIONS: Final[tuple[Operation, ...]] = (
    *status.OPERATIONS,
    *clusters.OPERATIONS,
    *happenings.OPERATIONS,
    *deliveries.OPERATIONS,
    *people.OPERATIONS,
    *channels.OPERATIONS,
    *rules.OPERATIONS,
    *trying.OPERATIONS,
    *proofs.OPERATIONS,
    *tokens.OPERATIONS,
)
"""Everything that the API does, in the order in which it is described."""
