"""``python -m relay`` is the same as ``msr-relay``."""

from relay.cli import main

main()
