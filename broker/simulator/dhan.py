"""The wire of DhanHQ v2 over the simulated broker: its addresses, bodies and answers.

A call is translated into the call of the Noren wire that means the same, and its answer back into Dhan's. So the
matching core, the faults and the names by which a fault finds its calls are the same on all wires. Rows are written by
`dhan_rows`.

As at the real broker, a market order becomes a limit order of the broker's choice, a stop at market is refused, a
refused token is `DH-906` with the text "Invalid Token", and that there are no Holdings is an error. Of what the wire
has, this is left out: other products than CNC, INTRADAY and MARGIN, slices, super and forever orders.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from broker.simulator import dhan_rows
from broker.simulator.endpoints import NO_DATA, Body
from broker.simulator.faults import EXPIRED
from broker.simulator.market_limits import limit_beyond
from broker.simulator.service import Simulator, WireResponse, json_response
from domain.money import decimal_text

_PERCENT = Decimal(3)  # of the limit that the broker makes of a market order
_NAMED_ERROR = re.compile(r"(?P<code>DH-\d+) ?: ?(?P<message>.*)")
_BOOKS = frozenset({"OrderBook", "TradeBook", "PositionBook"})
_TYPE_OF = {"DH-901": "Invalid_Authentication", "DH-904": "Rate_Limit", "DH-905": "Input_Exception"}
_EXCHANGES = {segment: exch for exch, segment in dhan_rows.SEGMENTS.items()}
_NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,4})?")
_TAG = re.compile(r"[a-zA-Z0-9 _-]{1,30}")

Listed = Callable[[str, str], str | None]
"""Returns the symbol of an exchange that has this security id; None: the list has none."""


class BadRequest(Exception):
    """The request cannot be parsed. The text is what the wire answers."""


class DhanWording:
    """How DhanHQ writes what the simulator answers."""

    def ok(self, endpoint: str, body: Body) -> WireResponse:
        """A success, with Dhan's fields."""
        return json_response(202 if endpoint == "CancelOrder" else 200, dhan_rows.answer_of(endpoint, body))

    def not_ok(self, endpoint: str, emsg: str, status: int | None = None) -> WireResponse:
        """An error of Dhan's that means the same; of an empty book a list without rows.

        A text `DH-905: …` names the code. Without one, the code follows from status and text.
        """
        if emsg == NO_DATA and endpoint in _BOOKS:
            return json_response(200, [])
        if emsg == NO_DATA and endpoint == "Holdings":
            return error(500, "DH-1111", "No holdings available", "HOLDING_ERROR")
        if emsg == NO_DATA and endpoint == "SingleOrdHist":
            return error(404, "DH-907", "No data present", "Data_Error")
        if emsg == EXPIRED:
            return error(400, "DH-906", "Invalid Token")
        code = 400 if status in (None, 200) else status
        assert code is not None
        named = _NAMED_ERROR.fullmatch(emsg)
        if named is not None:
            return error(code, named["code"], named["message"])
        if emsg.strip().lower().startswith("server timeout"):
            return error(code, "DH-909", "Unable to communicate with the backend", "Network_Error")
        if code >= 500:
            return error(code, "DH-908", emsg, "Internal_Server_Error")
        if code == 429:
            return self.too_many_calls()
        return error(code, "DH-906", emsg.removeprefix("Rejected : ").removeprefix("Invalid Input : "))

    def too_many_calls(self) -> WireResponse:
        """The broker's 429."""
        return error(429, "DH-904", "Too many requests on server from single user breaching rate limits")

    def minute_is_full(self, limit: int) -> WireResponse:
        """The same: the broker does not say which rate it was."""
        return self.too_many_calls()


class DhanWire:
    """Reads the calls of DhanHQ."""

    def __init__(self, simulator: Simulator, listed: Listed | None = None) -> None:
        """`listed` tells the symbols of ids that nobody has named yet; None: such ids are refused."""
        self._simulator = simulator
        self._listed = listed
        self._wording = DhanWording()

    def __call__(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> WireResponse | None:
        """Answer one call."""
        parts = tuple(part for part in path.partition("?")[0].split("/") if part)
        parts = parts[1:] if parts[:1] == ("v2",) else parts
        given = {name.lower(): value for name, value in headers.items()}
        token, uid = self._session(given)
        try:
            fields = _fields(body)
            match method, parts:
                case "POST", ("orders",):
                    return self._call("PlaceOrder", self._order(uid, fields), token)
                case "PUT", ("orders", number):
                    return self._call("ModifyOrder", self._changes(uid, number, fields), token)
                case "DELETE", ("orders", number):
                    return self._call("CancelOrder", {"uid": uid, "norenordno": number}, token)
                case "GET", ("orders", "external", tag):
                    data = {"uid": uid, "norenordno": self._number_of(uid, tag)}
                    return self._call("SingleOrdHist", data, token)
                case "GET", ("orders", number):
                    return self._call("SingleOrdHist", {"uid": uid, "norenordno": number}, token)
                case "POST", ("marketfeed", "ltp"):
                    return self._last_prices(uid, fields, token)
                case "GET", (name,) if name in _READS:
                    return self._call(_READS[name], {"uid": uid}, token)
        except BadRequest as refusal:
            return error(400, "DH-905", str(refusal))
        return error(404, "DH-910", "Not Found")

    def _call(self, endpoint: str, data: Mapping[str, str | None], token: str | None) -> WireResponse | None:
        return self._simulator.call(endpoint, data, token, self._wording)

    def _session(self, headers: Mapping[str, str]) -> tuple[str | None, str | None]:
        """Return the access token and its user; None where there is no such session of that client."""
        token = headers.get("access-token", "")
        uid = self._simulator.sessions.user_of(token)
        if uid is None or headers.get("client-id", uid) != uid:
            return None, None
        return token, uid

    # orders -------------------------------------------------------------------------------------------------

    def _order(self, uid: str | None, fields: Mapping[str, Any]) -> dict[str, str | None]:
        if uid is not None and fields.get("dhanClientId") != uid:
            raise BadRequest("dhanClientId is not that of the token")
        tag = fields.get("correlationId")
        if tag is not None and not _TAG.fullmatch(str(tag)):
            raise BadRequest("correlationId: expected 30 letters, digits, spaces, _ or - at most")
        exch, tsym = self._symbol(fields)
        side = _one_of(fields, "transactionType", dhan_rows.SIDES)
        if fields.get("validity") not in ("DAY", "IOC"):
            raise BadRequest("validity")
        return {
            "uid": uid,
            "actid": uid,
            "exch": exch,
            "tsym": tsym,
            "prd": _one_of(fields, "productType", dhan_rows.PRODUCTS),
            "trantype": side,
            "ret": str(fields["validity"]),
            "ordersource": "API",
            "remarks": None if tag is None else str(tag),
            **self._terms((exch, tsym), side, fields, uid),
        }

    def _changes(self, uid: str | None, number: str, fields: Mapping[str, Any]) -> dict[str, str | None]:
        found = None if uid is None else self._simulator.exchange.order(uid, number)
        data: dict[str, str | None] = {"uid": uid, "norenordno": number}
        if found is None:
            return {**data, "prctyp": "LMT", "prc": "1"}  # the order is not found, whatever is asked
        ticket, versions = found
        side = versions[-1].order.side.value[0]
        return {**data, **self._terms((ticket.exch, ticket.tsym), side, fields, uid)}

    def _terms(
        self, symbol: tuple[str, str], side: str, fields: Mapping[str, Any], uid: str | None
    ) -> dict[str, str | None]:
        """Return type, quantity and prices. A market order becomes a limit order here."""
        kind = _one_of(fields, "orderType", dhan_rows.TYPES)
        price, trigger = _number(fields, "price"), _number(fields, "triggerPrice")
        if kind == "SL-MKT":
            raise BadRequest("STOP_LOSS_MARKET orders are not taken")
        if kind == "MKT" and uid is not None:
            price, kind = limit_beyond(self._simulator.exchange, symbol, side, _PERCENT), "LMT"
        return {"qty": _number(fields, "quantity"), "prctyp": kind, "prc": price, "trgprc": trigger}

    def _symbol(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        exch = _one_of(fields, "exchangeSegment", _EXCHANGES)
        security_id = str(fields.get("securityId") or "")
        exchange = self._simulator.exchange
        known = [
            place
            for place, each in exchange.instruments().items()
            if (each.exch, each.token) == (exch, security_id)
        ]
        if known:
            return known[0]
        tsym = None if self._listed is None else self._listed(exch, security_id)
        if tsym is None:
            raise BadRequest("Invalid SecurityId")
        exchange.know(exch, tsym, security_id)
        return exch, tsym

    def _number_of(self, uid: str | None, tag: str) -> str:
        """Return the number of the newest order with this correlation id; a dash if there is none."""
        orders = [] if uid is None else self._simulator.exchange.orders(uid)
        return next((ticket.norenordno for ticket, _ in reversed(orders) if ticket.remarks == tag), "-")

    # prices -------------------------------------------------------------------------------------------------

    def _last_prices(
        self, uid: str | None, fields: Mapping[str, Any], token: str | None
    ) -> WireResponse | None:
        found: dict[str, dict[str, Any]] = {}
        for segment, ids in fields.items():
            if segment == "dhanClientId":  # the vendor's client puts it into every body
                continue
            if segment not in _EXCHANGES or not isinstance(ids, list):
                raise BadRequest(f"{segment}: expected security ids")
            for each in ids:
                data = {"uid": uid, "exch": _EXCHANGES[segment], "token": str(each)}
                answer = self._call("GetQuotes", data, token)
                if answer is None or (answer.status != 200 and uid is None):
                    return answer
                if answer.status == 200:
                    found.setdefault(segment, {})[str(each)] = json.loads(answer.body)
        return json_response(200, {"data": found, "status": "success"})


_READS: dict[str, str] = {
    "profile": "UserDetails",
    "fundlimit": "Limits",
    "orders": "OrderBook",
    "trades": "TradeBook",
    "positions": "PositionBook",
    "holdings": "Holdings",
}
"""The addresses that are read without fields, and what is read there."""


def error(status: int, code: str, message: str, error_type: str | None = None) -> WireResponse:
    """Write an error of Dhan's."""
    kind = error_type or _TYPE_OF.get(code, "Order_Error")
    return json_response(status, {"errorType": kind, "errorCode": code, "errorMessage": message})


def _fields(body: bytes) -> Mapping[str, Any]:
    if not body:
        return {}
    try:
        fields = json.loads(body, parse_float=Decimal)
    except ValueError as broken:
        raise BadRequest("the body is not JSON") from broken
    if not isinstance(fields, dict):
        raise BadRequest("the body is not an object")
    return fields


def _one_of(fields: Mapping[str, Any], name: str, words: Mapping[str, str]) -> str:
    word = fields.get(name)
    if not isinstance(word, str) or word not in words:
        raise BadRequest(f"Missing or bad value for {name}")
    return words[word]


def _number(fields: Mapping[str, Any], name: str) -> str:
    """Return a number of a body as text, which is a number of JSON or a text; 0 where it is empty."""
    value = fields.get(name)
    text = decimal_text(value) if isinstance(value, Decimal) else "0" if value in (None, "") else str(value)
    if not _NUMBER.fullmatch(text):
        raise BadRequest(f"Bad value for {name}")
    return text
