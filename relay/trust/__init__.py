"""Trust data: what notary keeps of a repository, verified and made comparable. Knows no network."""

from relay.trust.compare import Changes, Moved, Regressed, Rotated, Signer, Threshold, changes
from relay.trust.document import file_name
from relay.trust.errors import GoneError, InvalidError, TrustError
from relay.trust.examine import Examined, Source, examine
from relay.trust.state import BASE_ROLES, Keys, Listed, State, Tag, listing

__all__ = [
    "BASE_ROLES",
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
    "Threshold",
    "TrustError",
    "changes",
    "examine",
    "file_name",
    "listing",
]
