"""What can be wrong with a template or an expression, said to whoever wrote it."""

from relay.model.errors import Exit, RelayError


class TemplateError(RelayError):
    """A template cannot be found, compiled or rendered.

    ``template`` is its name (``slack/mine.json.j2``), ``line`` the line in it if known.
    """

    exit = Exit.CONFIG

    def __init__(self, template: str, line: int | None, message: str) -> None:
        super().__init__(template, line, message)
        self.template = template
        self.line = line
        self.message = message

    def __str__(self) -> str:
        place = self.template if self.line is None else f"{self.template}, line {self.line}"
        return f"{place}: {self.message}"


class ExpressionError(RelayError):
    """A ``when:`` cannot be compiled, or not be evaluated for an event.

    ``column`` counts from 1; None where it is not known.
    """

    exit = Exit.CONFIG

    def __init__(self, source: str, message: str, column: int | None = None) -> None:
        super().__init__(source, message, column)
        self.source = source
        self.message = message
        self.column = column

    def __str__(self) -> str:
        place = "" if self.column is None else f" at column {self.column}"
        return f"{self.source!r}{place}: {self.message}"
