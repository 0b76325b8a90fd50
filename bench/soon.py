"""`msr-relay` that begins to prune at once, and not after ten minutes."""

from relay.app import pruning
from relay.cli import main

if __name__ == "__main__":
    pruning._EVERY = 1.0
    main()
