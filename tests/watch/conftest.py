"""Imitated clusters on loopback, as the client's tests have them."""

from tests.msr.conftest import clock, http, serve

__all__ = ["clock", "http", "serve"]
