"""``msr-relay explain``: which rules take an event and why not, and who gets it."""

from pathlib import Path

from rich.text import Text

from relay.app import build
from relay.cli.event_source import find_event
from relay.cli.opening import configure
from relay.cli.output import clean, console, print_json, table
from relay.engine.routing import OWN_RULE, Route, Verdict
from relay.model.event import Event
from relay.settings import Settings


def explain(config: Path | None, source: str, status: str | None, *, as_json: bool) -> None:
    """Print what every rule says to an event, and which channels get it in the end."""
    settings = configure(config).settings
    found = find_event(source, status, settings)
    router = build.router(settings)
    verdicts, routes = router.explain(found.event), _going(router.route(found.event), found.event)
    if as_json:
        print_json(
            {
                "event": {
                    "type": found.event.type,
                    "status": str(found.event.status),
                    "severity": str(found.event.severity),
                    "cluster": found.event.cluster,
                    "subject": found.event.subject.name,
                },
                "note": found.note,
                "rules": [_document(each) for each in verdicts],
                "routes": [
                    {
                        "channel": each.channel,
                        "rule": each.rule,
                        "template": each.template,
                        "after_seconds": each.after.total_seconds(),
                    }
                    for each in routes
                ],
            }
        )
        return
    out = console()
    event = found.event
    place = f" in {event.cluster}" if event.cluster else ""
    out.print(Text(f"{event.type} ({event.status}, {event.severity}){place}: {clean(event.summary)}", "bold"))
    if found.note:
        out.print(Text(f"note: {found.note}", "dim"))
    out.print()
    if verdicts:
        out.print(table(("rule", "", "why"), map(_line, verdicts), fold=("rule", "why")))
    if not settings.rules and verdicts:
        out.print(Text("No rules are written; this is what holds without any.", "dim"))
    out.print()
    _print_routes(settings, event, routes)


def _going(routes: list[Route], event: Event) -> list[Route]:
    # The end of an alert goes only where the rule wants it.
    return [each for each in routes if event.status != "resolved" or each.on_resolve]


def _line(verdict: Verdict) -> tuple[object, ...]:
    misses = "; ".join(verdict.misses)
    if not verdict.reached:
        return verdict.rule, Text("not reached", "dim"), "a rule above stops"
    if misses:
        return verdict.rule, Text("no", "red"), misses
    why = f"→ {', '.join(verdict.channels)}" if verdict.channels else "its channels have it already"
    return verdict.rule, Text("matches", "green"), why


def _document(verdict: Verdict) -> dict[str, object]:
    return {
        "rule": verdict.rule,
        "matches": not verdict.misses and verdict.reached,
        "reached": verdict.reached,
        "misses": list(verdict.misses),
        "channels": list(verdict.channels),
    }


def _print_routes(settings: Settings, event: Event, routes: list[Route]) -> None:
    out = console()
    if not routes:
        out.print(Text("Nobody gets it." + ("" if settings.channels else " No channel is configured.")))
        return
    if any(route.rule == OWN_RULE for route in routes):
        why = "The relay tells this about itself: without a rule for its type it goes to every other channel."
        out.print(Text(why, "dim"))
    for route in routes:
        line = Text.assemble("It goes to ", (clean(route.channel), "bold"))
        if route.template is not None:
            line.append(f", with template {clean(route.template)}")
        if route.after and event.status == "firing":
            line.append(f", if it still fires after {route.after.total_seconds():g} s")
        out.print(line.append("."))
