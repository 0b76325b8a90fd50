"""The `when:` of rules: a Jinja expression over one event, sandboxed and bounded."""

from collections.abc import Callable
from typing import Any, Final

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.environment import TemplateExpression
from jinja2.exceptions import SecurityError
from jinja2.lexer import ignored_tokens
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from relay.model.event import Event, SubjectKind
from relay.render.clean import cut, one_line
from relay.render.environment import Missing, near
from relay.render.errors import ExpressionError

NAMES: Final = {
    "type": "the event's type, such as `trust.deleted`",
    "status": "`event`, `firing` or `resolved`",
    "flapping": "whether this firing says that the alert comes and goes too often to tell each time",
    "cluster": "the cluster's name; empty for the relay's own events",
    "severity": "compares by rank: `severity >= 'warning'`",
    "repository": "`namespace/name`; empty if the event is not about a repository",
    "namespace": "the part of `repository` before the last slash",
    "name": "the part of `repository` after it",
    "gun": "the name under which the trust data was signed; empty if there is none",
    "replica": "the id or URL host of the replica; empty if the event is not about one",
    "labels": "the event's labels; `labels.get('team')` for one that may be missing",
    "details": "the type's fields, as the list of event types has them",
    "summary": "the event in one line",
    "event": "the event itself",
}
"""What an expression can name: the source of the table in the reference."""

FILTERS: Final = (
    "abs", "count", "d", "default", "first", "float", "int", "last", "length", "list", "lower", "max", "min",
    "reject", "select", "string", "trim", "upper",
)  # fmt: skip
"""Jinja's filters that an expression can use: none of them makes much out of little."""

METHODS: Final = (
    "count", "endswith", "find", "get", "isdigit", "items", "keys", "lower", "removeprefix", "removesuffix",
    "rpartition", "partition", "split", "startswith", "strip", "upper", "values",
)  # fmt: skip
"""Methods of texts and mappings that an expression can call."""

LONGEST: Final = 2000
"""The most characters of an expression."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Small steps only: no power and no repeated text, through which a few characters can ask for much."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=Missing)
        self.filters = {name: self.filters[name] for name in FILTERS}
        self.globals = {}

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Numbers only, and no powers."""
        if operator == "**" or not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise SecurityError(f"{operator} is not for expressions like this")
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        """Call what may be called; say what that is for everything else."""
        if not self.is_safe_callable(obj):
            name = getattr(obj, "__name__", str(obj))
            raise SecurityError(f"{name!r} cannot be called here; what can: {', '.join(METHODS)}")
        return obj(*args, **kwargs)

    def is_safe_callable(self, obj: Any) -> bool:
        """Methods of texts and mappings, of those that are listed."""
        owner = getattr(obj, "__self__", None)
        return isinstance(owner, str | dict) and getattr(obj, "__name__", "") in METHODS


_SANDBOX: Final = _Sandbox()


def expression(source: str) -> Callable[[Event], bool]:
    """A function that tells whether the expression holds for an event. Compiled here, once.

    Raises ExpressionError, with the column: for a syntax error, an unknown name, filter or test, more than
    `LONGEST` characters. The function raises it too, when the expression cannot be evaluated for an event.
    """
    compiled = _compile(source)

    def holds(event: Event) -> bool:
        try:
            return bool(compiled(_names(event)))
        except Exception as error:
            raise ExpressionError(source, cut(one_line(str(error)), 400) or type(error).__name__) from None

    return holds


def _compile(source: str) -> TemplateExpression:
    if len(source) > LONGEST:
        raise ExpressionError(cut(source, 60), f"longer than {LONGEST} characters")
    parser = None
    try:
        parser = Parser(_SANDBOX, source, state="variable")
        tree = nodes.Template([nodes.Output([parser.parse_expression()])], lineno=1)
        if not parser.stream.eos:
            raise TemplateSyntaxError("this is more than one expression", 1)
        tree.set_environment(_SANDBOX)
        compiled = _SANDBOX.compile_expression(source, undefined_to_none=False)
    except TemplateSyntaxError as error:
        column = None if parser is None else _column(source, parser)
        raise ExpressionError(source, one_line(error.message or "syntax error"), column) from None
    except (RecursionError, OverflowError, MemoryError, SyntaxError, ValueError):
        raise ExpressionError(source, "too deep or too large") from None
    for unknown in sorted(meta.find_undeclared_variables(tree) - set(NAMES)):
        raise ExpressionError(
            source, f"{unknown!r} is undefined{near(unknown, NAMES)}", source.find(unknown) + 1 or None
        )
    return compiled


def _column(source: str, parser: Parser) -> int:
    starts, at = [], 0
    try:
        for _, token, text in _SANDBOX.lexer.tokeniter(source, None, None, "variable"):
            if token not in ignored_tokens:
                starts.append(at)
            at += len(text)
    except TemplateSyntaxError:
        return at + 1
    left = sum(1 for _ in parser.stream)
    return (starts[-left] if 0 < left <= len(starts) else len(source)) + 1


def _names(event: Event) -> dict[str, Any]:
    subject = event.subject
    repository = subject.name if subject.kind is SubjectKind.REPOSITORY else ""
    namespace, _, name = repository.rpartition("/")
    return {
        "type": event.type,
        "status": str(event.status),
        "flapping": event.flapping,
        "cluster": event.cluster or "",
        "severity": event.severity,
        "repository": repository,
        "namespace": namespace,
        "name": name,
        "gun": subject.gun or "",
        "replica": subject.name if subject.kind is SubjectKind.REPLICA else "",
        "labels": event.labels,
        "details": event.details,
        "summary": event.summary,
        "event": event,
    }
