"""The wire of Kite Connect v3 over the simulated broker: its addresses, forms and answers.

A call is translated into the call of the Noren wire that means the same, and its answer back into Kite's. So the
matching core, the faults and the names by which a fault finds its calls are the same on both wires. Rows are written by
`kite_rows`.

As at the real broker, a market order needs a market protection and then stands in the book as a limit order. Of what
the wire has, this is left out: other varieties than `regular`, other validities than DAY and IOC, baskets, GTT.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from urllib.parse import parse_qs, parse_qsl

from broker.simulator import kite_rows
from broker.simulator.endpoints import NO_DATA, Body
from broker.simulator.faults import EXPIRED
from broker.simulator.form import InvalidInput
from broker.simulator.market_limits import limit_beyond
from broker.simulator.service import Simulator, WireResponse, json_response
from broker.simulator.sessions import Credentials, Denied, sha256
from domain.money import decimal_text

_AUTOMATIC = Decimal(3)  # the percentage of a market protection of -1
_TIMED_OUT = "Order request timed out. Please check the order book and confirm before placing again."
_NAMED_ERROR = re.compile(r"(?P<type>\w+Exception) ?: ?(?P<message>.*)")
_OF_STATUS = {429: "NetworkException", 500: "GeneralException", 502: "DataException", 503: "NetworkException"}
_BOOKS = frozenset({"OrderBook", "TradeBook", "PositionBook", "Holdings", "SingleOrdHist"})
_SIDES = {"BUY": "B", "SELL": "S"}
_PRODUCTS = {"CNC": "C", "NRML": "M", "MIS": "I"}
_TYPES = {"LIMIT": "LMT", "MARKET": "MKT", "SL": "SL-LMT", "SL-M": "SL-MKT"}
_LIMITED = {"MKT": "LMT", "SL-MKT": "SL-LMT"}
_NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,4})?")


class BadRequest(Exception):
    """The request cannot be parsed. The text is what the wire answers."""


class KiteWording:
    """How Kite Connect writes what the simulator answers."""

    def ok(self, endpoint: str, body: Body) -> WireResponse:
        """A success, with Kite's fields."""
        return json_response(200, {"status": "success", "data": kite_rows.data_of(endpoint, body)})

    def not_ok(self, endpoint: str, emsg: str, status: int | None = None) -> WireResponse:
        """An error of Kite's that means the same; of an empty book a success without rows.

        A text `MarginException: …` names the kind of error. Without one, the kind follows from status and text.
        """
        if emsg == NO_DATA and endpoint in _BOOKS:
            return self.ok(endpoint, [])
        if emsg == EXPIRED:
            return error(403, "TokenException", "Incorrect `api_key` or `access_token`.")
        named = _NAMED_ERROR.fullmatch(emsg)
        code = 400 if status in (None, 200) else status
        assert code is not None
        if named is not None:
            return error(code, named["type"], named["message"])
        if emsg.strip().lower().startswith("server timeout"):
            return error(
                code,
                "OrderException" if code == 400 else _OF_STATUS.get(code, "GeneralException"),
                _TIMED_OUT,
            )
        message = emsg.removeprefix("Rejected : ").removeprefix("Invalid Input : ")
        return error(code, _OF_STATUS.get(code, "InputException"), message)

    def too_many_calls(self) -> WireResponse:
        """The broker's 429."""
        return error(429, "NetworkException", "Too many requests")

    def minute_is_full(self, limit: int) -> WireResponse:
        """The broker's refusal of orders beyond those of a minute."""
        return error(429, "NetworkException", "Maximum allowed order requests exceeded.")


class KiteWire:
    """Reads the calls of Kite Connect. Without accounts, a request token is taken as the name of the user."""

    def __init__(self, simulator: Simulator, *, market_orders: bool = False) -> None:
        """With `market_orders` False, a market order without market protection is refused."""
        self._simulator = simulator
        self._market_orders = market_orders
        self._wording = KiteWording()

    def __call__(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> WireResponse | None:
        """Answer one call."""
        address, _, query = path.partition("?")
        parts = tuple(part for part in address.split("/") if part)
        token, uid = self._session(headers)
        if headers.get("X-Kite-Version") != "3":
            return error(400, "InputException", "X-Kite-Version: expected 3")
        try:
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
            match method, parts:
                case "POST", ("session", "token"):
                    return self._exchange(form)
                case "DELETE", ("session", "token"):
                    return self._call("Logout", {}, token)
                case "POST", ("orders", "regular"):
                    return self._call("PlaceOrder", self._order(uid, form), token)
                case "PUT", ("orders", "regular", number):
                    return self._call("ModifyOrder", self._changes(uid, number, form), token)
                case "DELETE", ("orders", "regular", number):
                    return self._call("CancelOrder", {"uid": uid, "norenordno": number}, token)
                case "GET", ("orders", number):
                    return self._call("SingleOrdHist", {"uid": uid, "norenordno": number}, token)
                case "GET", ("quote", "ltp"):
                    return self._last_prices(uid, parse_qs(query).get("i", []), token)
                case "GET", _ if "/".join(parts) in _READS:
                    return self._call(_READS["/".join(parts)], {"uid": uid}, token)
        except BadRequest as refusal:
            return error(400, "InputException", str(refusal))
        except UnicodeDecodeError:
            return error(400, "InputException", "the form is not text")
        return error(404, "GeneralException", "Route not found")

    def _call(self, endpoint: str, data: Mapping[str, str | None], token: str | None) -> WireResponse | None:
        return self._simulator.call(endpoint, data, token, self._wording)

    def _session(self, headers: Mapping[str, str]) -> tuple[str | None, str | None]:
        """Return the access token and its user; None where there is no such session of this API key."""
        scheme, _, pair = headers.get("Authorization", "").partition(" ")
        api_key, _, token = pair.strip().partition(":")
        if scheme.lower() != "token" or not api_key:
            return None, None
        uid = self._simulator.sessions.user_of(token)
        if uid is not None and self._simulator.sessions.api_key_of(uid) not in ("", api_key):
            return None, None
        return token, uid

    def _exchange(self, form: Mapping[str, str]) -> WireResponse | None:
        api_key, code = form.get("api_key", ""), form.get("request_token", "")

        def proof(known: Credentials, request_token: str) -> str:
            return sha256(f"{known.oauth_client_id}{request_token}{known.api_secret}")

        sessions = self._simulator.sessions
        data = {
            "code": code,
            "checksum": form.get("checksum"),
            "uid": None if sessions.has_accounts else code,
        }
        try:
            uid, token = sessions.exchange(data, proof)
        except (Denied, InvalidInput) as denied:
            return error(403, "TokenException", f"Token is invalid or has expired. ({denied})")
        return json_response(200, {"status": "success", "data": kite_rows.session(uid, api_key, token)})

    # orders -------------------------------------------------------------------------------------------------

    def _order(self, uid: str | None, form: Mapping[str, str]) -> dict[str, str | None]:
        tag = form.get("tag")
        if tag is not None and not re.fullmatch(r"[A-Za-z0-9]{1,20}", tag):
            raise BadRequest("Invalid `tag`. It should be alphanumeric and 20 characters at most.")
        exch, tsym = _needed(form, "exchange"), _needed(form, "tradingsymbol")
        side = _one_of(form, "transaction_type", _SIDES)
        if form.get("validity", "DAY") not in ("DAY", "IOC"):
            raise BadRequest("Invalid `validity`.")
        return {
            "uid": uid,
            "actid": uid,
            "exch": exch,
            "tsym": tsym,
            "prd": _one_of(form, "product", _PRODUCTS),
            "trantype": side,
            "ret": form.get("validity", "DAY"),
            "ordersource": "API",
            "remarks": tag,
            **self._terms(uid, (exch, tsym), side, form, _one_of(form, "order_type", _TYPES)),
        }

    def _changes(self, uid: str | None, number: str, form: Mapping[str, str]) -> dict[str, str | None]:
        found = None if uid is None else self._simulator.exchange.order(uid, number)
        data: dict[str, str | None] = {"uid": uid, "norenordno": number}
        if found is None:
            return {**data, "prctyp": "LMT", "prc": "1"}  # the order is not found, whatever is asked
        ticket, versions = found
        order = versions[-1].order
        kinds = {"LIMIT": "LMT", "MARKET": "MKT", "STOP_LIMIT": "SL-LMT", "STOP": "SL-MKT"}
        kind = (
            _one_of(form, "order_type", _TYPES) if form.get("order_type") else kinds[order.order_type.value]
        )
        was = {"price": order.price, "trigger_price": order.trigger_price}
        kept = {name: decimal_text(value) for name, value in was.items() if value is not None}
        terms = self._terms(uid, (ticket.exch, ticket.tsym), order.side.value[0], {**kept, **form}, kind)
        return {**data, **terms}

    def _terms(
        self, uid: str | None, symbol: tuple[str, str], side: str, form: Mapping[str, str], kind: str
    ) -> dict[str, str | None]:
        """Return type, quantity and prices. A protected market order becomes a limit order here."""
        price, trigger = form.get("price"), form.get("trigger_price")
        percent = _percent(form.get("market_protection", "0"))
        if kind in _LIMITED and not percent and not self._market_orders:
            raise BadRequest("Market orders without market protection are not allowed via API.")
        if kind in _LIMITED and percent and uid is not None:
            price, kind = (
                limit_beyond(
                    self._simulator.exchange, symbol, side, percent, trigger if kind == "SL-MKT" else None
                ),
                _LIMITED[kind],
            )
        return {"qty": form.get("quantity"), "prctyp": kind, "prc": price or "0", "trgprc": trigger or "0"}

    # prices -------------------------------------------------------------------------------------------------

    def _last_prices(self, uid: str | None, names: Sequence[str], token: str | None) -> WireResponse | None:
        known, found = self._simulator.exchange.instruments(), {}
        for name in names:
            exch, _, tsym = name.partition(":")
            instrument = known.get((exch, tsym))
            if uid is not None and instrument is None:
                continue
            data = {"uid": uid, "exch": exch, "token": "" if instrument is None else instrument.token}
            answer = self._call("GetQuotes", data, token)
            if answer is None or answer.status != 200:
                return answer
            found[name] = kite_rows.content(answer.body)
        return json_response(200, {"status": "success", "data": found})


_READS: dict[str, str] = {
    "user/profile": "UserDetails",
    "user/margins": "Limits",
    "orders": "OrderBook",
    "trades": "TradeBook",
    "portfolio/positions": "PositionBook",
    "portfolio/holdings": "Holdings",
}
"""The addresses that are read without fields, and what is read there."""


def error(status: int, error_type: str, message: str) -> WireResponse:
    """Write an error of Kite's."""
    return json_response(
        status, {"status": "error", "message": message, "error_type": error_type, "data": None}
    )


def _needed(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "").strip()
    if not value:
        raise BadRequest(f"Missing `{name}`.")
    return value


def _one_of(form: Mapping[str, str], name: str, words: Mapping[str, str]) -> str:
    word = _needed(form, name)
    if word not in words:
        raise BadRequest(f"Invalid `{name}`.")
    return words[word]


def _percent(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text) or not -1 <= Decimal(text) <= 100:
        raise BadRequest("Invalid `market_protection`.")
    return _AUTOMATIC if Decimal(text) == -1 else Decimal(text)
