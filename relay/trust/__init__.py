"""Trust data: what notary keeps of a repository, verified and made comparable. Knows no network."""

from relay.trust.compare import Changes, Moved, Regressed, Rotated, Signer, changes
from relay.trust.errors import GoneError, InvalidError
from relay.trust.examine import Examined, Source, examine
from relay.trust.state import Keys, Listed, State, Tag, listing

__all__ = [
    "Changes",
    "Examined",
    "GoneError",
    "InvalidError",
    "Keys",
    "Listed",
    "Moved",
    "Regressed",
    "Rotated",
    "Signer",
    "Source",
    "State",
    "Tag",
    "changes",
    "examine",
    "listing",
]
