"""What each call of the wire does and answers: one function for each endpoint.

Faults that stop a call or replace its answer are applied in `service`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from broker.simulated_exchange.model import NEEDS_PRICE, Rejection
from broker.simulator import rows
from broker.simulator.blemishes import blemished
from broker.simulator.delivered import Delivered
from broker.simulator.exchange import Exchange, ForcedOutcome
from broker.simulator.faults import EXPIRED, Fault, FaultBox, FaultKind
from broker.simulator.form import Data, InvalidInput, changes_in, needed, order_in
from broker.simulator.rows import Row
from broker.simulator.sessions import Denied, Sessions
from broker.simulator.words import (
    DELIVERY,
    PRICE_TYPE_OF,
    ZONE,
    DayPosition,
    HoldingKey,
    Instrument,
    OrderTerms,
    Version,
)
from domain.enums import OrderType
from domain.errors import Refused

CASH = Decimal(1_000_000)
NO_DATA = 'Error Occurred : 5 "no data"'
_SYMBOL = re.compile(r"(?=.*[\d-])[A-Z0-9&_-]+")  # the full name of a contract; a search for one uses less
_OTHER = Instrument("NSE", "OTHER-EQ", "999999")
_NOT_FOUND = "Rejected : ORA:Order not found"
_WITHOUT_SESSION = frozenset({"QuickAuth", "GenAcsTok"})


class NotOk(Exception):
    """The call is answered with `Not_Ok`. The text is its `emsg`."""


Body = dict[str, object] | list[Row]


@dataclass(frozen=True, slots=True)
class WireCall:
    """One call as it arrived: its fields, its token, and the faults that strike it."""

    data: Data
    token: str | None
    faults: Sequence[Fault] = ()
    uid: str = ""

    def fault(self, kind: FaultKind) -> Fault | None:
        """Return the fault of that kind; None if none strikes this call."""
        return next((fault for fault in self.faults if fault.kind is kind), None)


class Endpoints:
    """The calls of the wire, on one exchange."""

    def __init__(
        self,
        exchange: Exchange,
        sessions: Sessions,
        faults: FaultBox,
        delivered: Delivered,
        *,
        market_orders: bool,
    ) -> None:
        self._delivered = delivered
        self._market_orders = market_orders
        self._exchange = exchange
        self._sessions = sessions
        self._faults = faults
        self._kept: dict[str, tuple[Version, Instrument, Row]] = {}
        self._table: dict[str, Callable[[WireCall], Body]] = {
            "QuickAuth": self._quick_auth,
            "GenAcsTok": self._access_token,
            "Logout": self._logout,
            "UserDetails": self._user_details,
            "PlaceOrder": self._place_order,
            "ModifyOrder": self._modify_order,
            "CancelOrder": self._cancel_order,
            "OrderBook": self._order_book,
            "SingleOrdHist": self._order_history,
            "TradeBook": self._trade_book,
            "PositionBook": self._position_book,
            "Holdings": self._holdings,
            "Limits": self._limits,
            "GetQuotes": self._quotes,
            "SearchScrip": self._search,
        }

    def answer(self, endpoint: str, data: Data, token: str | None, faults: Sequence[Fault]) -> Body:
        """Process one call and return its answer.

        Raises:
            NotOk: the call is refused.
        """
        uid = self._sessions.user_of(token)
        if endpoint not in _WITHOUT_SESSION and (uid is None or data.get("uid") not in (None, "", uid)):
            raise NotOk(EXPIRED)
        try:
            return self._table[endpoint](WireCall(data, token, faults, uid or ""))
        except (InvalidInput, Denied) as error:
            raise NotOk(str(error)) from error

    def request_time(self) -> str:
        """The time that every answer carries."""
        return rows.wire_time(self._exchange.now())

    def _ok(self, **values: object) -> Body:
        return {"request_time": self.request_time(), "stat": "Ok", **values}

    # sessions -----------------------------------------------------------------------------------------------

    def _quick_auth(self, call: WireCall) -> Body:
        uid, token = self._sessions.login(call.data)
        return self._ok(
            susertoken=token, actid=uid, uname=uid, uid=uid, email="", brkname="SIM", lastaccesstime="0"
        )

    def _access_token(self, call: WireCall) -> Body:
        uid, token = self._sessions.exchange(call.data)
        return self._ok(
            access_token=token,
            susertoken=token,
            refresh_token="",
            USERID=uid,
            actid=uid,
            uid=uid,
            expires_in="86400",
        )

    def _logout(self, call: WireCall) -> Body:
        self._sessions.end(call.token)
        return self._ok()

    def _user_details(self, call: WireCall) -> Body:
        products = [
            {"prd": prd, "s_prdt_ali": name} for prd, name in (("C", "CNC"), ("M", "NRML"), ("I", "MIS"))
        ]
        exchanges = ["NSE", "BSE", "NFO", "BFO", "CDS", "MCX"]
        return self._ok(uid=call.uid, actid=call.uid, uname=call.uid, exarr=exchanges, prarr=products)

    # orders -------------------------------------------------------------------------------------------------

    def _place_order(self, call: WireCall) -> Body:
        try:
            ticket, order = order_in(call.data)
            self._check_type(order.order_type)
            return self._ok(norenordno=self._exchange.place(ticket, order, _fate(call, order.quantity)))
        except (InvalidInput, NotOk, Refused) as error:
            emsg = f"Rejected : {error}" if isinstance(error, Refused) else str(error)
            self._exchange.refuse(call.uid, call.data.get("remarks"), emsg)
            raise NotOk(emsg) from error

    def _modify_order(self, call: WireCall) -> Body:
        (norenordno,) = needed(call.data, "norenordno")
        changes = changes_in(call.data)
        self._check_type(changes.order_type)
        try:
            self._exchange.modify(call.uid, norenordno, changes)
        except Refused as refusal:
            raise NotOk(
                _NOT_FOUND if refusal.code == "ORDER_NOT_OPEN" else f"Rejected : {refusal}"
            ) from refusal
        return self._ok(result=norenordno)

    def _check_type(self, order_type: OrderType) -> None:
        if not self._market_orders and order_type not in NEEDS_PRICE:
            raise NotOk(f"ALGO_CHK: {PRICE_TYPE_OF[order_type]} Order type not allowed for API order")

    def _cancel_order(self, call: WireCall) -> Body:
        (norenordno,) = needed(call.data, "norenordno")
        try:
            self._exchange.cancel(call.uid, norenordno)
        except Refused as refusal:
            raise NotOk(f"{_NOT_FOUND} to Cancel") from refusal
        return self._ok(result=norenordno)

    # books; orders and trades newest first ------------------------------------------------------------------

    def _order_book(self, call: WireCall) -> Body:
        present = [
            (ticket, versions[-1]) for ticket, versions in self._exchange.orders(call.uid, self._as_of(call))
        ]
        if call.fault(FaultKind.OPEN_ONLY_BOOK):
            present = [(ticket, version) for ticket, version in present if version.order.is_live]
        stale = []
        if call.fault(FaultKind.STALE_TWIN):
            all_orders = self._exchange.orders(call.uid, self._as_of(call))
            stale = self._rows([(t, versions[0]) for t, versions in all_orders], rows.order_row)
        return self._book(call, [*self._rows(present, self._order_row), *stale])

    def _order_history(self, call: WireCall) -> Body:
        (norenordno,) = needed(call.data, "norenordno")
        found = self._exchange.order(call.uid, norenordno, self._as_of(call))
        ticket_versions = [] if found is None else [(found[0], version) for version in found[1]]
        return self._book(call, self._rows(ticket_versions, rows.history_row))

    def _trade_book(self, call: WireCall) -> Body:
        return self._book(
            call, self._rows(self._exchange.trades(call.uid, self._as_of(call)), rows.trade_row)
        )

    def _position_book(self, call: WireCall) -> Body:
        known = self._exchange.instruments()
        held = self._exchange.positions(call.uid, self._as_of(call))
        found = [
            rows.position_row(call.uid, key, holding, self._exchange.mark(*key[:2]), known[key[:2]])
            for key, holding in held.items()
        ]
        carried = self._delivered_before(call.uid)
        rows_left = [row for row in found if rows.without_delivered(row, carried)]
        wild = call.fault(FaultKind.WILD_ROW)
        if wild is not None and rows_left:
            rows.make_wild(rows_left[wild.row_of(len(rows_left))], wild.draw or 0)
        return self._book(call, rows_left)

    def _holdings(self, call: WireCall) -> Body:
        """Return the delivered shares. What was sold for delivery today counts as used."""
        before = self._delivered_before(call.uid)
        held = self._exchange.positions(call.uid).items()
        sold = {
            key[:2]: holding.sold - before.get(key, DayPosition()).sold
            for key, holding in held
            if key[2] == DELIVERY
        }
        carried = {key[:2]: holding.net.net_quantity for key, holding in before.items()}
        found = self._delivered.rows(call.uid, self._exchange.instruments(), sold, carried)
        return self._book(call, found)  # type: ignore[arg-type]

    def _delivered_before(self, uid: str) -> dict[HoldingKey, DayPosition]:
        """Return what was bought for delivery, less what was sold, before today. It is no longer a position."""
        began = self._exchange.now().astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
        held = self._exchange.positions(uid, began - timedelta(microseconds=1))
        return {key: holding for key, holding in held.items() if key[2] == DELIVERY}

    # the rest -----------------------------------------------------------------------------------------------

    def _limits(self, call: WireCall) -> Body:
        used = sum((abs(h.net.open_cost) for h in self._exchange.positions(call.uid).values()), Decimal(0))
        zero = dict.fromkeys(("payin", "payout", "brkcollamt", "unclearedcash", "daycash"), Decimal(0))
        return self._ok(actid=call.uid, **rows.money_row({"cash": CASH, "marginused": used, **zero}))

    def _quotes(self, call: WireCall) -> Body:
        exch, token = needed(call.data, "exch", "token")
        of_exchange = [each for each in self._exchange.instruments().values() if each.exch == exch]
        asked = [instrument for instrument in of_exchange if instrument.token == token]
        if not asked:
            raise NotOk(NO_DATA)
        if call.fault(FaultKind.ANOTHER_QUOTE):
            asked = [each for each in of_exchange if each not in asked] or [_OTHER]
        return self._ok(**rows.quote(asked[0], self._exchange.price(asked[0])))

    def _search(self, call: WireCall) -> Body:
        (text,) = needed(call.data, "stext")
        words, exch = text.upper().split(), call.data.get("exch")
        if exch and _SYMBOL.fullmatch(text):
            self._exchange.know(exch, text)
        values = [
            rows.found(instrument)
            for instrument in self._exchange.instruments().values()
            if exch in (None, "", instrument.exch) and all(word in instrument.tsym.upper() for word in words)
        ]
        if not values:
            raise NotOk(NO_DATA)
        return self._ok(values=values)

    def _rows(self, versions: Sequence[tuple[OrderTerms, Version]], row: Callable[..., Row]) -> list[Row]:
        known = self._exchange.instruments()
        return [
            row(ticket, version, known[ticket.exch, ticket.tsym]) for ticket, version in reversed(versions)
        ]

    def _order_row(self, ticket: OrderTerms, version: Version, instrument: Instrument) -> Row:
        """Return the order's row from a cache, which holds it until the order or its instrument changes.

        Without the cache, every poll of a book of thousands would build all rows anew.
        """
        kept = self._kept.get(ticket.norenordno)
        if kept is None or kept[0] is not version or kept[1] is not instrument:
            kept = (version, instrument, rows.order_row(ticket, version, instrument))
            self._kept[ticket.norenordno] = kept
        return kept[2]

    def _book(self, call: WireCall, found: list[Row]) -> Body:
        """Apply the faults to the rows and return them. An empty book is an error on this wire."""
        found = blemished(found, call.faults)
        missing = call.fault(FaultKind.MISSING_ROW)
        if missing is not None and found:
            del found[missing.row_of(len(found))]
        if not found or call.fault(FaultKind.EMPTY_BOOK):
            raise NotOk(NO_DATA)
        if call.fault(FaultKind.DUPLICATED_BOOK):
            found = [row for row in found for _ in range(2)]
        if call.fault(FaultKind.REORDERED_BOOK):
            self._faults.shuffle(found)
        return found

    def _as_of(self, call: WireCall) -> datetime | None:
        fault = call.fault(FaultKind.LAGGING_BOOK)
        return None if fault is None else self._exchange.now() - timedelta(seconds=fault.seconds)


def _fate(call: WireCall, quantity: Decimal) -> ForcedOutcome:
    rejected, cut = call.fault(FaultKind.REJECT_LATER), call.fault(FaultKind.CANCEL_AFTER_PARTIAL_FILL)
    if rejected is not None:
        return ForcedOutcome(rejection=Rejection("REJECTED", rejected.emsg, later=True))
    if cut is not None:
        return ForcedOutcome(cancel_after_fill=cut.quantity or max(quantity // 2, Decimal(1)))
    return ForcedOutcome()
