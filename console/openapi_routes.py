"""Every route of the API, of the webhook, and of the probes: its parameters, its body, its answer, who may call it."""

import re
from dataclasses import dataclass
from enum import StrEnum

from domain.account_state import AccountState
from domain.attention import Decided
from domain.enums import Side
from domain.states import Status


class Caller(StrEnum):
    """Who may call a route."""

    ANYBODY = "anybody"
    SENDER = "whoever knows the webhook's secret"
    OPERATOR = "whoever has the console's token"


@dataclass(frozen=True, slots=True)
class Field:
    """A value of a query, a body or an answer. `kind`: the name of its type; `values`: all that it may be."""

    name: str
    kind: str = "text"
    says: str = ""
    required: bool = False
    values: tuple[str, ...] = ()
    may_be_null: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path.

    - `answer`: the fields of the JSON object that it answers 200 with; all are always there.
    - `failures`: the other statuses that it may answer.
    - `raw_body`: what its body is, where that is no object of `body`.
    - `text_answer`: what it answers, where that is no JSON.
    """

    method: str
    path: str
    name: str
    summary: str
    caller: Caller = Caller.OPERATOR
    query: tuple[Field, ...] = ()
    body: tuple[Field, ...] = ()
    answer: tuple[Field, ...] = ()
    failures: tuple[int, ...] = (401, 429, 503)
    raw_body: str = ""
    text_answer: str = ""

    @property
    def path_names(self) -> list[str]:
        """The names in the path."""
        return re.findall(r"{(\w+)}", self.path)


def _answer(*names: str) -> tuple[Field, ...]:
    """Fields of an answer, as `name:kind`; a text without a kind; with `?` at its end it may be null."""
    found = []
    for each in names:
        name, _, kind = each.partition(":")
        found.append(Field(name, (kind or "text").rstrip("?"), required=True, may_be_null=kind.endswith("?")))
    return tuple(found)


_READ, _QUERIED = (401, 429, 503), (400, 401, 429, 503)
_FOUND = (401, 404, 429, 503)
_DONE = (400, 401, 403, 404, 409, 413, 429, 503)

_CLIENT = Field("client", says="One client; without it all.")
_CLIENT_ID = Field("client_id", says="The client; may be left out where there is only one.")
_STRATEGY = Field("strategy_name", says="One strategy; without it the whole client.")
_REASON = Field("reason", says="Why; it is kept.")
_WHY = Field("reason", says="Why; it is kept.", required=True)
_BY = Field("by", says="Who asks, for the history.")
_WHO = Field("by", says="Who asks, for the history.", required=True)
_ALL = Field("all", "integer", "1: those that are over too.")
_LIMIT = Field("limit", "integer", "How many at most.")
_CURSOR = Field("cursor", says="`next` of the page before.")
_FILTERS = (
    Field("status", values=tuple(Status)),
    Field("symbol", says="In which `*` stands for anything; so in the next two."),
    Field("strategy"),
    Field("client"),
    Field("from", says="A day or a time: created then or later."),
    Field("to", says="A day or a time: created before it, or on that day."),
)

_READING = (
    Route("GET", "/api/orders", "listOrders", "List orders, the newest first.", query=(*_FILTERS, _LIMIT, _CURSOR),
          answer=_answer("orders:list", "counts:object", "next:text?"), failures=_QUERIED),
    Route("GET", "/api/orders/{command_id}", "showOrder", "Show an order and its story.",
          answer=_answer("order:object", "events:list", "intent:object?", "alert:object?", "messages:list",
                         "siblings:list", "protections:list", "groups:list", "alert_messages:list"), failures=_FOUND),
    Route("GET", "/api/alerts", "listAlerts", "List deliveries, the newest first.",
          query=(Field("show", values=("all", "refused")), _LIMIT, _CURSOR), failures=_QUERIED,
          answer=_answer("alerts:list", "next:text?", "last_24_hours:object", "refused_senders:integer?")),
    Route("GET", "/api/attention/decisions", "listDecisions", "List what people decided, the newest first.",
          answer=_answer("decisions:list")),
    Route("GET", "/api/diagnostics/frozen-orders", "listFrozenOrders", "List orders at the broker for over an hour.",
          answer=_answer("at", "meaning", "total:integer", "orders:list")),
    Route("GET", "/api/diagnostics/positions", "comparePositions", "Compare positions with what strategies hold.",
          answer=_answer("at", "differences:list", "accounts:list", "compared:boolean", "not_compared:list",
                         "pass:boolean")),
    Route("GET", "/api/diagnostics/recent-signals", "checkSignals", "Check that each signal was decided and told.",
          query=(Field("hours", "integer"), _LIMIT, Field("side", values=tuple(Side))), failures=_QUERIED,
          answer=_answer("signals:list", "total:integer", "hours:integer", "counts:object", "violations:list",
                         "pass:boolean", "summary")),
    Route("GET", "/api/groups", "listGroups", "List the groups of legs.", query=(_CLIENT, _ALL, _LIMIT),
          answer=_answer("groups:list"), failures=_QUERIED),
    Route("GET", "/api/health", "showHealth", "Show the complete health of the service.",
          answer=_answer("at", "ready:boolean", "checks:object", "watchers:list", "accounts:list", "positions:list",
                         "holdings:list", "halts:list", "stops:list", "outbox:object", "unknown_orders:list",
                         "frozen_count:integer", "position_differences:list", "not_compared:list",
                         "frozen_orders:list")),
    Route("GET", "/api/openapi.json", "describe", "Describe this interface.",
          answer=_answer("openapi", "info:object", "paths:object", "components:object"), failures=_READ),
    Route("GET", "/api/pnl", "showPnl", "Show each client's profit and loss of the trading day.", query=(_CLIENT,),
          answer=_answer("clients:list"), failures=(400, 401, 404, 429, 503)),
    Route("GET", "/api/positions", "listPositions", "List what is held, by strategy.", query=(_CLIENT,),
          answer=_answer("positions:list"), failures=(400, 401, 404, 429, 503)),
    Route("GET", "/api/protections", "listProtections", "List protections, the newest first.",
          query=(_CLIENT, _ALL, _LIMIT), answer=_answer("protections:list"), failures=_QUERIED),
    Route("GET", "/api/protections/{protection_id}", "showProtection", "Show a protection with its history.",
          answer=_answer("protection_id", "command_id", "status", "events:list"), failures=_FOUND),
    Route("GET", "/api/risk", "showRisk", "Show each limit with its use and state.", query=(_CLIENT,),
          answer=_answer("clients:list"), failures=(400, 401, 404, 429, 503)),
)  # fmt: skip

_ACTING = (
    Route("POST", "/api/attention", "decide", "Record that somebody has seen an item, snoozes it, or opens it again.",
          body=(Field("item", required=True), Field("facts"), Field("decision", required=True, values=tuple(Decided)),
                Field("minutes", "text", "How long it is snoozed."), _REASON, _BY),
          answer=_answer("item", "client_id", "facts", "decision", "by", "at", "until:text?", "reason"),
          failures=_DONE),
    Route("POST", "/api/flatten", "flatten", "Ask for exits of what is open; asking twice exits once.",
          body=(_CLIENT_ID, _STRATEGY, Field("symbol"), _REASON, _BY),
          answer=_answer("client_id", "exits:list", "left:list"), failures=_DONE),
    Route("POST", "/api/halt", "halt", "Stop new entries; exits go on.", body=(_CLIENT_ID, _STRATEGY, _REASON, _BY),
          answer=_answer("halted:boolean", "client_id", "strategy_name:text?", "reason", "note:text?"), failures=_DONE),
    Route("POST", "/api/holdings/adopt", "adopt", "Make units that no strategy holds one strategy's holding.",
          body=(_CLIENT_ID, Field("symbol", required=True), Field("strategy_name", required=True),
                Field("quantity", "decimal", "Below zero: sold units.", required=True), Field("exchange"),
                Field("product"), _WHY, _WHO),
          answer=_answer("adopted:boolean", "client_id", "strategy_name", "exchange", "symbol", "product", "quantity",
                         "average_price:text?", "held", "reason", "meaning", "note:text?"), failures=_DONE),
    Route("POST", "/api/latches/lift", "lift", "Let entries go on after a limit on the day was hit.",
          body=(_CLIENT_ID, _WHY, _WHO),
          answer=_answer("lifted:boolean", "client_id", "reason", "lowest_pnl:text?", "pnl", "loss_counts_from",
                         "meaning"), failures=_DONE),
    Route("POST", "/api/marks", "setMark", "Move a price of the simulated market.",
          body=(_CLIENT_ID, Field("exchange", required=True), Field("symbol", required=True),
                Field("price", "decimal", required=True)),
          answer=_answer("client_id", "exchange", "symbol", "price"), failures=_DONE),
    Route("POST", "/api/orders/{command_id}/cancel", "cancelOrder", "Take an order back.", body=(_WHY, _WHO),
          answer=_answer("asked:boolean", "cancelled:boolean", "order:object"), failures=_DONE),
    Route("POST", "/api/orders/{command_id}/resolve", "resolveOrder", "Say what became of an order of unknown outcome.",
          body=(Field("outcome", required=True, values=("found", "follow", "absent")), Field("broker_order_id"),
                Field("filled_quantity", "decimal"), Field("average_price", "decimal"), _WHY, _WHO),
          answer=_answer("resolved:boolean", "order:object"), failures=_DONE),
    Route("POST", "/api/preview", "previewAlert", "Say what an alert would do; nothing is stored or sent.",
          query=(Field("format", says="The name of its dialect; `auto` or nothing: the one that recognises it."),),
          raw_body="The alert as its platform sends it.",
          answer=_answer("outcome", "format", "strategy_name:text?", "legs:list", "repairs:list", "unread:list",
                         "blocked:list", "error:object?"), failures=(401, 403, 413, 429, 503)),
    Route("POST", "/api/groups/{group_id}", "changeGroup", "End what protects a group as a whole; its legs stay.",
          body=(Field("cancel", "boolean", required=True), _WHY, _WHO),
          answer=_answer("group_id", "cancelled:boolean"), failures=_DONE),
    Route("POST", "/api/protections/{protection_id}", "changeProtection",
          "Cancel a protection, or set its stop tighter or its target anew.",
          body=(Field("stop_price", "decimal"), Field("target_price", "decimal"), Field("cancel", "boolean"),
                Field("confirm", "boolean", "The level has been passed, and is meant."), _REASON, _WHO),
          answer=_answer("protection_id", "command_id", "status", "events:list"), failures=_DONE),
    Route("POST", "/api/resume", "resume", "Lift a halt.", body=(_CLIENT_ID, _STRATEGY, _BY),
          answer=_answer("resumed:boolean", "client_id", "strategy_name:text?"), failures=_DONE),
    Route("POST", "/api/state", "setState", "Let entries go, only reduce, or stop.",
          body=(_CLIENT_ID, _STRATEGY, Field("state", required=True, values=tuple(AccountState)), _REASON, _BY),
          answer=_answer("client_id", "strategy_name:text?", "state", "reason"), failures=_DONE),
)  # fmt: skip

_DELIVERED = _answer("status", "alert_id")
_REFUSED = (400, 401, 403, 405, 409, 413, 429, 500, 503)
_BODY = "The alert: JSON of our own form, or of any dialect."


def _delivery(path: str, name: str, summary: str) -> Route:
    return Route(
        "POST", path, name, summary, Caller.SENDER, answer=_DELIVERED, failures=_REFUSED, raw_body=_BODY
    )


_OPEN = (
    _delivery("/webhook", "deliver", "Deliver an alert of any dialect; its legs are durable once it is answered 200."),
    _delivery("/webhook/{name}", "deliverAs", "Deliver an alert of the named dialect."),
    _delivery("/webhook/{name}/{token}", "deliverWithToken", "Deliver an alert with the secret in the path."),
    Route("GET", "/healthz", "isAlive", "Say that the process runs.", Caller.ANYBODY,
          answer=_answer("status", "instance", "database"), failures=()),
    Route("GET", "/readyz", "isReady", "Say whether orders can flow; 503 with the same answer when they cannot.",
          Caller.ANYBODY, answer=_answer("ready:boolean", "checks:object"), failures=(503,)),
    Route("GET", "/metrics", "metrics", "Give the figures for Prometheus.", text_answer="Figures in Prometheus' form.",
          failures=(401, 429)),
)  # fmt: skip

ROUTES: tuple[Route, ...] = (*_READING, *_ACTING, *_OPEN)
