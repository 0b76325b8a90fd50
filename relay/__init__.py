"""MSR Relay: watches Mirantis Secure Registry and tells people and programs what it sees."""

__version__ = "0.1.0"
