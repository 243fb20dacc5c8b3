"""Stop an entry that its broker could not take: an instrument or a size that is not certain, or one off the grid."""

from decimal import Decimal

from blockers.rules import Block
from domain.alert import LegRequest
from domain.enums import LegKind
from domain.instruments.instrument import Instrument
from domain.money import decimal_text
from domain.reason_codes import Reason


def unfit(leg: LegRequest) -> Block | None:
    """Return the block of an entry whose instrument or size does not fit; never that of an exit.

    What the master does not say (a tick that is not known) is left to the broker to judge.
    """
    choice = leg.instrument
    if leg.kind is not LegKind.ENTRY:
        return None
    if choice is not None and choice.refusal is not None:
        return Block(choice.refusal, choice.detail)
    if leg.sized is not None and leg.sized.refusal is not None:
        return Block(leg.sized.refusal, leg.sized.detail)
    if choice is None or choice.instrument is None or not choice.is_checked:
        return None
    return _off_lot(leg, choice.instrument) or _off_tick(leg, choice.instrument)


def _off_lot(leg: LegRequest, instrument: Instrument) -> Block | None:
    lot, quantity = instrument.lot, leg.quantity
    if not lot or quantity is None or not quantity % lot:
        return None
    what = f"got {decimal_text(quantity)}, the lot of {instrument} is {decimal_text(lot)}"
    return Block(Reason.LOT_SIZE, f"{what}: expected {_nearest(quantity, lot)}")


def _off_tick(leg: LegRequest, instrument: Instrument) -> Block | None:
    tick = instrument.tick
    if not tick:
        return None
    for name, price in (("price", leg.price), ("trigger price", leg.trigger_price)):
        if price is not None and price % tick:
            what = f"{name}: got {decimal_text(price)}, the tick of {instrument} is {decimal_text(tick)}"
            return Block(Reason.TICK_SIZE, f"{what}: expected {_nearest(price, tick)}")
    return None


def _nearest(value: Decimal, step: Decimal) -> str:
    """The multiples of the step next to a value."""
    below = value - value % step
    return " or ".join(decimal_text(each) for each in (below, below + step) if each)
