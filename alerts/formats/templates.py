"""Check what an alert asks of a strategy with leg templates, where the underlying's name stands for all legs."""

from dataclasses import replace

from alerts.formats.intents import not_built
from alerts.formats.sizes import Asked
from alerts.formats.words import Act
from domain.alert import LegRequest
from domain.enums import LegKind, OrderType
from domain.errors import InvalidAlert
from domain.leg_templates import LegTemplate


def of_template(leg: LegRequest, template: LegTemplate, act: Act, asked: Asked | None) -> LegRequest:
    """Return the leg of such a strategy; its template says what an entry consists of, so the alert may not.

    Raises:
        InvalidAlert: it asks for what a template cannot do.
    """
    if leg.template is None:
        if leg.kind is LegKind.FLAT or leg.kind is LegKind.EXIT:
            return leg
        expected = f"expected {' or '.join(sorted(template.names))}, whose legs this strategy trades"
        raise InvalidAlert("INVALID", f"{expected}, got {leg.symbol}", "symbol")
    if act in (Act.REVERSE, Act.TARGET):
        raise not_built(
            "a reversal or a position to reach of several legs", "send an exit and an entry", "action"
        )
    if leg.kind is LegKind.EXIT:
        raise not_built(
            "an exit of a part of several legs", "leave the quantity out: it closes all", "quantity"
        )
    if leg.order_type is not OrderType.MARKET:
        raise not_built(f"several legs by a {leg.order_type} order", "send a market order", "order_type")
    if leg.kind is LegKind.FLAT:
        return leg
    if leg.protection is not None:
        hint = "leave them out, and set protection in config/strategies.toml"
        raise not_built("stops and targets of the underlying for several legs", hint, "stop_loss")
    if asked is not None:
        hint = "leave it out: the strategy's legs say how many lots"
        raise not_built(f"{asked.ask.text} of several legs", hint, asked.key)
    return replace(leg, size=None)
