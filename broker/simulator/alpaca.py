"""The wire of Alpaca's Trading API v2 over the simulated broker: its addresses, bodies and answers.

A call is translated into the call of the Noren wire that means the same, and its answer back into Alpaca's. So the
matching core, the faults and the names by which a fault finds its calls are the same on all wires. Rows are written by
`alpaca_rows`.

As at the real broker, a client order id is taken once, for ever; the list of orders has open ones alone unless it is
asked for all, 500 at most; closed positions vanish; a cancel is answered without content. The last prices of Alpaca's
data host are served here too. Of what the wire has, this is left out: replacing orders, orders for amounts of money and
of several legs, other times in force than `day` and `ioc`, the stream, crypto.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from broker.simulator import alpaca_rows
from broker.simulator.endpoints import CASH, NO_DATA, Body
from broker.simulator.exchange import TAG_IN_USE
from broker.simulator.faults import EXPIRED
from broker.simulator.json_rows import Fields
from broker.simulator.rows import order_row
from broker.simulator.service import Simulator, WireResponse, json_response
from domain.broker_reports import BrokerStatus
from domain.money import ZERO, decimal_text

EXCHANGE, PRODUCT = "US", "M"
"""Under which words of the Noren wire everything stands here."""

_BOOKS = frozenset({"OrderBook", "TradeBook", "PositionBook", "Holdings"})
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,9})?")
_TAG = re.compile(r".{1,128}")
_NAMED_ERROR = re.compile(r"(?P<code>\d{8}) ?: ?(?P<message>.*)")
_CODES = {401: 40110000, 403: 40310000, 404: 40410000, 422: 42210000, 429: 42910000, 500: 50010000}
_MOST = 500
_WORDS = {
    BrokerStatus.COMPLETE: "filled",
    BrokerStatus.CANCELLED: "canceled",
    BrokerStatus.EXPIRED: "expired",
    BrokerStatus.REJECTED: "rejected",
}


class BadRequest(Exception):
    """The request cannot be parsed. The text is what the wire answers."""


class AlpacaWording:
    """How Alpaca writes what the simulator answers. Rows are written by the wire, which knows their orders."""

    def ok(self, endpoint: str, body: Body) -> WireResponse:
        """A success: the Noren wire's own fields, for the wire to write anew; without content for a cancel."""
        if endpoint == "CancelOrder":
            return WireResponse(204, b"")
        return json_response(200, body)

    def not_ok(self, endpoint: str, emsg: str, status: int | None = None) -> WireResponse:
        """An error of Alpaca's that means the same; of an empty book a list without rows.

        A text `42210000: …` names the code. Without one, the code follows from status and text.
        """
        if emsg == NO_DATA and endpoint in _BOOKS:
            return json_response(200, [])
        if emsg == NO_DATA:
            return error(404, "order not found")
        if emsg == EXPIRED:
            return error(401, "request is not authorized")
        if emsg.endswith(TAG_IN_USE):
            return error(422, TAG_IN_USE, 40010001)
        named = _NAMED_ERROR.fullmatch(emsg)
        if named is not None:
            code = int(named["code"])
            return error(
                code // 100_000 if status in (None, 200) else int(status or 0), named["message"], code
            )
        if emsg.strip().lower().startswith("server timeout"):
            return error(504 if status in (None, 200) else int(status or 0), "upstream request timeout")
        code = 422 if status in (None, 200) else int(status or 0)
        return error(code, emsg.removeprefix("Rejected : ").removeprefix("Invalid Input : "))

    def too_many_calls(self) -> WireResponse:
        """The broker's 429."""
        return error(429, "rate limit exceeded")

    def minute_is_full(self, limit: int) -> WireResponse:
        """The same: the broker counts by the minute alone."""
        return self.too_many_calls()


class AlpacaWire:
    """Reads the calls of Alpaca. A user's access token is `<key id>:<secret key>`."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._wording = AlpacaWording()
        simulator.exchange.tags_are_unique = True

    def __call__(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> WireResponse | None:
        """Answer one call."""
        address, _, query = path.partition("?")
        parts = tuple(part for part in address.split("/") if part)
        asked = dict(parse_qsl(query, keep_blank_values=True))
        given = {name.lower(): value for name, value in headers.items()}
        token = f"{given.get('apca-api-key-id', '')}:{given.get('apca-api-secret-key', '')}"
        uid = self._simulator.sessions.user_of(token)
        try:
            match method, parts:
                case "POST", ("v2", "orders"):
                    return self._place(uid, _fields(body), token)
                case "GET", ("v2", "orders"):
                    return self._orders(uid, asked, token)
                case "GET", ("v2", "orders:by_client_order_id"):
                    return self._one(uid, self._tagged(uid, asked.get("client_order_id", "")), token)
                case "GET", ("v2", "orders", order_id):
                    return self._one(uid, alpaca_rows.number_in(order_id), token)
                case "DELETE", ("v2", "orders", order_id):
                    return self._cancel(uid, order_id, token)
                case "GET", ("v2", "positions"):
                    return self._positions(uid, token)
                case "GET", ("v2", "account"):
                    return self._account(uid, token)
                case "GET", ("v2", "account", "activities", "FILL"):
                    return self._fills(uid, asked, token)
                case "GET", (_, "stocks" | "options", "trades", "latest"):
                    return self._last_prices(uid, asked.get("symbols", ""), token)
        except BadRequest as refusal:
            return error(422, str(refusal))
        return error(404, "endpoint not found", 40410000)

    def _call(self, endpoint: str, data: Mapping[str, str | None], token: str) -> WireResponse | None:
        return self._simulator.call(endpoint, data, token, self._wording)

    # orders -------------------------------------------------------------------------------------------------

    def _place(self, uid: str | None, fields: Mapping[str, Any], token: str) -> WireResponse | None:
        tag = fields.get("client_order_id")
        if tag is not None and not _TAG.fullmatch(str(tag)):
            raise BadRequest("client_order_id must be no more than 128 characters")
        if fields.get("time_in_force") not in ("day", "ioc"):
            raise BadRequest("invalid time_in_force")
        kind = _one_of(fields, "type", alpaca_rows.TYPES)
        extended = fields.get("extended_hours") is True
        if extended and kind != "LMT":
            raise BadRequest("extended hours order must be DAY limit orders")
        data = {
            "uid": uid,
            "actid": uid,
            "exch": EXCHANGE,
            "tsym": str(fields.get("symbol") or ""),
            "prd": PRODUCT,
            "trantype": _one_of(fields, "side", alpaca_rows.SIDES),
            "ret": "DAY" if fields["time_in_force"] == "day" else "IOC",
            "ordersource": "API",
            "amo": "YES" if extended else "NO",
            "remarks": None if tag is None else str(tag),
            "prctyp": kind,
            "qty": _number(fields, "qty"),
            "fractions": "YES",
            "prc": _number(fields, "limit_price"),
            "trgprc": _number(fields, "stop_price"),
        }
        answer = self._call("PlaceOrder", data, token)
        number = _content(answer).get("norenordno") if answer is not None and answer.status == 200 else None
        if number is None or uid is None or answer is None:
            return answer
        return json_response(200, self._written(uid, str(number)))

    def _cancel(self, uid: str | None, order_id: str, token: str) -> WireResponse | None:
        number = alpaca_rows.number_in(order_id)
        answer = self._call("CancelOrder", {"uid": uid, "norenordno": number}, token)
        if answer is None or uid is None or answer.status != 422:
            return answer
        found = self._simulator.exchange.order(uid, number)
        if found is None:
            return error(404, f"order not found for {order_id}")
        word = _WORDS.get(found[1][-1].order.status)
        return answer if word is None else error(422, f'order is already in "{word}" state')

    def _orders(self, uid: str | None, asked: Mapping[str, str], token: str) -> WireResponse | None:
        """List orders, the newest first unless it is asked otherwise. Both bounds are left out, as is documented."""
        answer = self._call("OrderBook", {"uid": uid}, token)
        rows = _rows(answer)
        if rows is None or uid is None:
            return answer
        written = [self._row(uid, row) for row in rows]
        found = [row for row in written if row is not None]
        after, until = _time(asked, "after"), _time(asked, "until")
        found = [
            row
            for row in found
            if (after is None or _at(row) > after)
            and (until is None or _at(row) < until)
            and (
                asked.get("status", "open") == "all"
                or (_is_live(row) == (asked.get("status", "open") == "open"))
            )
        ]
        if asked.get("direction", "desc") == "asc":
            found.reverse()
        limit = min(int(asked.get("limit", "50")), _MOST)
        return json_response(200, found[:limit])

    def _one(self, uid: str | None, number: str, token: str) -> WireResponse | None:
        answer = self._call("SingleOrdHist", {"uid": uid, "norenordno": number}, token)
        rows = _rows(answer)
        if rows is None or uid is None:
            return answer
        return json_response(200, self._row(uid, rows[0]))

    def _row(self, uid: str, row: Mapping[str, str]) -> Fields | None:
        found = self._simulator.exchange.order(uid, row["norenordno"])
        return None if found is None else alpaca_rows.order(row, *found)

    def _written(self, uid: str, number: str) -> Fields:
        """Return a new order's row as it was taken, whatever has become of it already."""
        found = self._simulator.exchange.order(uid, number)
        assert found is not None
        ticket, versions = found
        instrument = self._simulator.exchange.instruments()[ticket.exch, ticket.tsym]
        return alpaca_rows.order(order_row(ticket, versions[0], instrument), ticket, versions[:1])

    def _tagged(self, uid: str | None, tag: str) -> str:
        """Return the number of the order with this client order id; a dash if there is none."""
        orders = [] if uid is None else self._simulator.exchange.orders(uid)
        return next((ticket.norenordno for ticket, _ in orders if ticket.remarks == tag), "-")

    # the account --------------------------------------------------------------------------------------------

    def _positions(self, uid: str | None, token: str) -> WireResponse | None:
        answer = self._call("PositionBook", {"uid": uid}, token)
        rows = _rows(answer)
        if rows is None:
            return answer
        return json_response(200, [alpaca_rows.position(row) for row in rows if row.get("netqty") != "0"])

    def _account(self, uid: str | None, token: str) -> WireResponse | None:
        answer = self._call("Limits", {"uid": uid}, token)
        if answer is None or answer.status != 200 or uid is None or not _content(answer):
            return answer
        exchange, result, used = self._simulator.exchange, ZERO, ZERO
        for (exch, tsym, _), held in exchange.positions(uid).items():
            mark = exchange.mark(exch, tsym)
            price = held.net.average_price if mark is None else mark.price
            result += held.net.realized_pnl + held.net.unrealized(price or ZERO)
            used += held.net.open_cost
        return json_response(200, alpaca_rows.account(uid, CASH, used, result))

    def _fills(self, uid: str | None, asked: Mapping[str, str], token: str) -> WireResponse | None:
        answer = self._call("TradeBook", {"uid": uid}, token)
        rows = _rows(answer)
        if rows is None or uid is None:
            return answer
        times = {
            version.trade.flid: version.at
            for _, version in self._simulator.exchange.trades(uid)
            if version.trade
        }
        after = _time(asked, "after")
        found = [
            alpaca_rows.fill(row, times[row["flid"]])
            for row in reversed(rows)
            if after is None or times[row["flid"]] > after
        ]
        ids = [row["id"] for row in found]
        begin = ids.index(asked["page_token"]) + 1 if asked.get("page_token") in ids else 0
        return json_response(200, found[begin : begin + int(asked.get("page_size", "100"))])

    def _last_prices(self, uid: str | None, symbols: str, token: str) -> WireResponse | None:
        known, found = self._simulator.exchange.instruments(), {}
        for symbol in symbols.split(","):
            instrument = known.get((EXCHANGE, symbol))
            if uid is not None and instrument is None:
                continue
            data = {"uid": uid, "exch": EXCHANGE, "token": "" if instrument is None else instrument.token}
            answer = self._call("GetQuotes", data, token)
            if answer is None or answer.status != 200:
                return answer
            at = alpaca_rows.time_text(self._simulator.exchange.now())
            found[symbol] = {
                "t": at,
                "x": "V",
                "p": float(_content(answer)["lp"]),
                "s": 100,
                "c": ["@"],
                "i": 1,
                "z": "C",
            }
        return json_response(200, {"trades": found})


def error(status: int, message: str, code: int | None = None) -> WireResponse:
    """Write an error of Alpaca's."""
    return json_response(
        status, {"code": code or _CODES.get(status, status * 100_000 + 10_000), "message": message}
    )


def _rows(answer: WireResponse | None) -> list[dict[str, str]] | None:
    """Return the rows of a book's answer; None where it is no whole book."""
    if answer is None or answer.status != 200 or answer.length is not None:
        return None
    try:
        found = json.loads(answer.body)
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def _content(answer: WireResponse) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and answer.length is None else {}


def _fields(body: bytes) -> Mapping[str, Any]:
    try:
        fields = json.loads(body, parse_float=Decimal)
    except ValueError as broken:
        raise BadRequest("request body format is invalid") from broken
    if not isinstance(fields, dict):
        raise BadRequest("request body format is invalid")
    return fields


def _one_of(fields: Mapping[str, Any], name: str, words: Mapping[str, str]) -> str:
    word = fields.get(name)
    if not isinstance(word, str) or word not in words:
        raise BadRequest(f"invalid {name}")
    return words[word]


def _number(fields: Mapping[str, Any], name: str) -> str:
    """Return a number of a body as text, which is a number of JSON or a text; 0 where it is missing."""
    value = fields.get(name)
    text = decimal_text(value) if isinstance(value, Decimal) else "0" if value is None else str(value)
    if not _NUMBER.fullmatch(text):
        raise BadRequest(f"invalid {name}")
    return text


def _time(asked: Mapping[str, str], name: str) -> datetime | None:
    try:
        return datetime.fromisoformat(asked[name]) if name in asked else None
    except ValueError as broken:
        raise BadRequest(f"invalid {name}") from broken


def _at(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(row["submitted_at"])


def _is_live(row: Mapping[str, Any]) -> bool:
    return row["status"] not in _WORDS.values()
