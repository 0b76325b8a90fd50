"""Loads YAML, `.env`, environment and secret files into a model, and knows the place of every value.

The settings themselves are models elsewhere; they build on `RootSettings`, `Section`, `Duration` and `Size`.
"""

from relay.config.durations import (
    Duration,
    Size,
    at_least,
    at_most,
    format_duration,
    format_size,
    off_is_none,
    off_or_mapping,
    parse_duration,
    parse_size,
)
from relay.config.load import Loaded, find, load
from relay.config.overlay import Shorthand
from relay.config.schema import json_schema
from relay.config.settings import RootSettings, Section
from relay.config.tree import Document, Loc

__all__ = [
    "Document",
    "Duration",
    "Loaded",
    "Loc",
    "RootSettings",
    "Section",
    "Shorthand",
    "Size",
    "at_least",
    "at_most",
    "find",
    "format_duration",
    "format_size",
    "json_schema",
    "load",
    "off_is_none",
    "off_or_mapping",
    "parse_duration",
    "parse_size",
]
