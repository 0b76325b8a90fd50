"""Makes messages of events: sandboxed templates, the webhook's payload, `when:` expressions."""

from relay.render.errors import ExpressionError, TemplateError
from relay.render.expression import expression
from relay.render.pages import Pages
from relay.render.payload import payload
from relay.render.plain import plain_text
from relay.render.renderer import Renderer
from relay.render.telling import RUNBOOK, RuleAbout, Telling, nothing

__all__ = [
    "RUNBOOK",
    "ExpressionError",
    "Pages",
    "Renderer",
    "RuleAbout",
    "Telling",
    "TemplateError",
    "expression",
    "nothing",
    "payload",
    "plain_text",
]
