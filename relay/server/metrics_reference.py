"""Makes docs/reference/metrics.md from the metrics themselves.

``python -m relay.server.metrics_reference`` writes it into the checkout's docs; a test keeps it fresh.
"""

from pathlib import Path
from typing import Final

from relay.model.clock import SystemClock
from relay.model.delivery import Outcome, Reason
from relay.model.telemetry import STORING, Cause, LookOutcome
from relay.server.metrics import Described, Metrics

METRICS: Final = Path("docs/reference/metrics.md")

_HEAD: Final = """# Metrics

Made from the code (`make schema`): do not edit. How to read them, alert rules and a dashboard:
[watch the relay](../how-to/watch-the-relay.md).

A histogram has the series `_bucket`, `_sum` and `_count`. Counters and histograms count from the start of the
process; gauges are looked up at each scrape. Beside these there are the usual `process_…` ones.

| metric | type | labels | what it says |
|---|---|---|---|
"""

_LABELS: Final = f"""
## Labels

| label | what it holds |
|---|---|
| `cluster` | the name of a cluster; empty: the relay about itself |
| `watcher`, `channel`, `rule` | names as they are configured; rule `relay`: the relay's own messages |
| `replica` | the name of a replica; empty: a feed, of which there may be one for each repository |
| `type`, `status`, `severity` | those of [events](events.md) |
| `outcome` of looks | {", ".join(f"`{each}`" for each in LookOutcome)} |
| `outcome` of attempts | {", ".join(f"`{each}`" for each in Outcome)} |
| `cause` | {", ".join(f"`{each}`" for each in Cause)} |
| `state` | of [deliveries](../explanation/what-is-sent.md), of alerts, of channels |
| `reason` | why it is told: {", ".join(f"`{each}`" for each in Reason)} |
| `operation` | {", ".join(f"`{name}` ({of})" for name, of in STORING.items())} |
| `kind` | what the entry of the evidence holds: `record`, `snapshot`, `anchor` |
"""


def page() -> str:
    """Return the page."""
    return _HEAD + "".join(map(_row, Metrics(SystemClock()).described)) + _LABELS


def _row(metric: Described) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.about} |\n"


if __name__ == "__main__":
    METRICS.write_text(page(), encoding="utf-8")
