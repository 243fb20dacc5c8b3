"""The order: one leg's row, from registration to its end."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.entry_waits import WaitsFor
from domain.enums import DecisionType, ExecutionType, OrderType, Side, TestMode
from domain.money import ZERO
from domain.protection_terms import TrailingType
from domain.states import MAY_BE_LIVE, Phase, Status


@dataclass(frozen=True, slots=True)
class Order:
    """One leg's row. Immutable: `domain.order_events.advance` makes the next one.

    Quantities are in units of the symbol, prices in the symbol's currency, times aware UTC.

    - `requested_quantity`: what the alert named; None on an EXIT of everything.
    - `quantity`: what is requested from the broker.
    - `event_hash`: the head of the order's event chain. It serves as the row's version: every write compares it first.
    """

    command_id: str
    alert_id: str
    leg_index: int
    client_id: str
    strategy_name: str
    execution_type: ExecutionType
    exchange: str
    symbol: str
    side: Side
    quantity: Decimal
    requested_quantity: Decimal | None
    product: str
    order_type: OrderType
    price: Decimal | None
    trigger_price: Decimal | None
    reference_price: Decimal | None
    test_mode: TestMode | None
    client_order_id: str
    created_at: datetime
    expires_at: datetime
    status: Status = Status.CREATED
    phase: Phase = Phase.REGISTERED
    tag: str | None = None
    broker_order_id: str | None = None
    filled_quantity: Decimal = ZERO
    average_price: Decimal | None = None
    claimed_by: str | None = None
    # When the last call to the broker may have begun. In phase REGISTERED, the call that the broker turned away.
    sent_at: datetime | None = None
    attempts: int = 0  # calls that may have reached the broker
    not_before: datetime | None = None  # a retry waits until then
    cancel_requested_at: datetime | None = None
    cancel_sent_at: datetime | None = None  # the last time the broker was asked to cancel
    escalation: int = 0  # level of the last escalation of this phase: 0 none, 1 log, 2 and above message
    updated_at: datetime | None = None
    decision_type: DecisionType | None = None
    reason_code: str | None = None
    reason_message: str | None = None
    # The part of `reason_message` that is not its tag's sentence. None: the message stands for itself.
    reason_detail: str | None = None
    context_json: str | None = None
    exchange_error_snippet: str | None = None
    requested_side: Side | None = None  # what an EXIT named; None: whatever closes the position
    requested_product: str | None = None  # what an EXIT named; None: any product
    parent_command_id: str | None = None  # of a further part: the leg's own row, which is part 1
    provisional_until: datetime | None = None  # until then the broker may still accept an ABSENT order late
    waits_for: WaitsFor | None = None  # of an entry that is not sent yet: what has to come first
    # What protects the units that an entry brings; see `domain.protection_terms`.
    stop_loss: str | None = None
    target: str | None = None
    trailing_type: TrailingType | None = None
    trailing_value: Decimal | None = None
    trail_when: Decimal | None = None
    protection_json: str | None = None  # see `domain.further_terms`
    event_hash: str = ""

    @property
    def may_be_live(self) -> bool:
        """True while the broker may hold a live order of this row."""
        return self.phase in MAY_BE_LIVE

    @property
    def look_first(self) -> bool:
        """True where the broker said that it turned the order away: it may be sent again only after a book read."""
        return self.phase is Phase.REGISTERED and self.sent_at is not None

    def is_provisional(self, now: datetime) -> bool:
        """Return True while the broker may still accept an order that was proven absent."""
        return (
            self.phase is Phase.ABSENT and self.provisional_until is not None and now < self.provisional_until
        )

    @property
    def is_full_exit(self) -> bool:
        """True for an exit that names no quantity: its goal is flat."""
        return self.execution_type is ExecutionType.EXIT and self.requested_quantity is None

    def is_over(self, now: datetime) -> bool:
        """Return True when the order's life is over, so that it is not sent any more.

        An order whose creation lies further in the future than its life lasts was created before the clock was set
        back, so its age is not known. An entry then counts as over, because it must not be sent late. An exit does not,
        because a position that stays open is worse.
        """
        if now > self.expires_at:
            return True
        life = self.expires_at - self.created_at
        return self.execution_type is not ExecutionType.EXIT and self.created_at - now > life

    @property
    def open_quantity(self) -> Decimal:
        """The quantity that may still be filled, in units of the symbol."""
        return max(self.quantity - self.filled_quantity, ZERO)

    @property
    def signed_fill(self) -> Decimal:
        """The effect of the fills on the position: positive bought, negative sold."""
        return self.filled_quantity * self.side.sign

    @property
    def short_id(self) -> str:
        """The end of the command id, enough for a person to tell orders apart."""
        return self.command_id[-10:]
