"""Orders over the API: what is done to the relay, written down with who did it."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from relay.engine.orders import ORDERS
from relay.model.access import Principal
from relay.server.api.operation import Call
from relay.server.api.problems import fields, invalid


def by(who: Principal, said: str | None) -> str:
    """Return who goes into the journal: who was let in, and on whose behalf, if somebody else was named."""
    return who.name if said is None or said == who.name else f"{said} (by {who.name})"


async def carry_out(call: Call[Any, Any], name: str, **given: Any) -> Any:
    """Carry out an order: its fields are what is given, over those of the body. Raises RefusedError.

    ``by`` in the body says on whose behalf.
    """
    said: Mapping[str, Any] = {} if call.body is None else call.body.model_dump(exclude_unset=True)
    values = {**said, **given, "by": by(call.who, said.get("by"))}
    kind = ORDERS[name]
    try:
        order = kind.model.model_validate(values)
    except ValidationError as error:
        raise invalid(fields(error)) from None
    return await kind.do(call.service.operator, order)
