"""Answer the reading commands: what is, what it means, what to do. Each answer is a list of lines of one message."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from conversation.finding import find_story
from conversation.ports import Chat, HealthCheck, OrderSearch, Surroundings
from conversation.words import (
    SENTENCE,
    age,
    code,
    moment,
    name,
    number,
    of_clients,
    order_line,
    short_id,
    signed,
    stands,
    traded,
)
from domain.conversation import Listening
from domain.ports import ReadModel, Row, Wanted
from domain.reason_codes import Family, family_of, reason_of, sentence_of
from domain.states import Status
from notifications.markup import safe

_SHOWN = 15
_EVENTS = 6
_COUNTED = 99


@dataclass(frozen=True, slots=True)
class Question:
    """A reading command: where it was asked, and its words."""

    chat: Chat
    words: Sequence[str]
    now: datetime
    listening: Listening

    @property
    def several(self) -> bool:
        """True where the chat sees several clients, so that each line says whose it is."""
        return len(self.chat.operators) > 1


class Answers:
    """The reading commands, by name."""

    def __init__(self, reads: ReadModel, search: OrderSearch, around: Surroundings) -> None:
        self._reads = reads
        self._search = search
        self._around = around
        self.commands: dict[str, tuple[Callable[[Question], list[str]], str]] = {
            "status": (self._status, "whether it trades, what is open, what needs you"),
            "orders": (self._orders, "the latest orders; with a symbol (* for anything) those of it"),
            "positions": (self._positions, "what is held, by strategy, with profit and loss"),
            "pnl": (self._pnl, "the day's profit and loss"),
            "why": (self._why, "ID: what became of an order and why; without ID the last failures"),
            "unknown": (self._unknown, "orders of which it is not known whether the broker has them"),
            "health": (self._health, "what works and what does not"),
            "protections": (self._protections, "stops, targets and trails; /protect changes them"),
        }

    # ----------------------------------------------------------------------------------------------------------

    def _status(self, question: Question) -> list[str]:
        lines = []
        clients, now = question.chat.clients, question.now
        halts = of_clients(self._reads.halts(), clients)
        unknown = of_clients(self._reads.unknown_orders(), clients)
        for client in clients:
            halted = [row for row in halts if row["client_id"] == client]
            lines.append(
                f"{_trading(halted)} <b>{name(client)}</b> · {name(self._around.modes.get(client, ''))}"
            )
            lines += [self._halted(row, now) for row in halted]
            held = [
                row for row in of_clients(self._reads.positions(), [client]) if Decimal(row["net_quantity"])
            ]
            at_broker, waiting = (
                self._count(client, Status.SENT_TO_BROKER),
                self._count(client, Status.CREATED),
            )
            lines.append(
                f"{len(held)} open positions, {at_broker} orders at the broker, {waiting} waiting · "
                f"day {self._day(client)}"
            )
        if unknown:
            lines.append(f"🚨 {len(unknown)} orders with an unknown outcome: /unknown")
        wrong = [check for check in self._checks(question).values() if not check.ok]
        lines += [f"🚨 {safe(check.sentence, SENTENCE)}" for check in wrong]
        if not unknown and not wrong:
            lines.append("Nothing needs you.")
        return lines

    def _count(self, client: str, status: Status) -> str:
        """How many orders have this status; not all of them are counted, since an outage may have left very many."""
        found = len(self._reads.orders(Wanted(client_id=client, status=status), limit=_COUNTED + 1)[0])
        return f"over {_COUNTED}" if found > _COUNTED else str(found)

    def _halted(self, row: Row, now: datetime) -> str:
        what = f"strategy {name(row['strategy_name'])}" if row["strategy_name"] else "all entries"
        at = moment(row["halted_at"], self._around.zone, now)
        why = f" ({safe(row['reason'], SENTENCE)})" if row["reason"] else ""
        return f"halted: {what}, since {at}, by {name(row['halted_by'])}{why}. Exits still go. To lift it: /resume"

    def _day(self, client: str) -> str:
        pnl = next((row["pnl"] for row in of_clients(self._reads.accounts(), [client])), None)
        return "P&amp;L not known" if pnl is None else signed(Decimal(pnl))

    def _orders(self, question: Question) -> list[str]:
        typed = question.words[0] if question.words else None
        rows = self._latest(question, typed)
        if not rows and typed is not None:
            rows = self._latest(question, typed.upper())
        if not rows:
            return ["No orders yet." if typed is None else f"No orders of {name(typed)}."]
        lines = [order_line(row, self._around.zone, question.now, several=question.several) for row in rows]
        return ["<b>Latest orders</b>", *lines, "What became of one: /why ID"]

    def _latest(self, question: Question, symbol: str | None) -> list[Row]:
        wanted = Wanted() if symbol is None else Wanted(symbol=symbol)
        rows = list[Row]()
        for client in question.chat.clients:
            wanted["client_id"] = client
            rows += self._reads.orders(wanted, limit=_SHOWN)[0]
        return sorted(rows, key=lambda row: (row["created_at"], row["command_id"]), reverse=True)[:_SHOWN]

    def _positions(self, question: Question) -> list[str]:
        clients = question.chat.clients
        held = [row for row in of_clients(self._reads.positions(), clients) if Decimal(row["net_quantity"])]
        holdings = of_clients(self._reads.holdings(), clients)
        lines = []
        for row in held:
            whose = f"{name(row['client_id'])} · " if question.several else ""
            net = Decimal(row["net_quantity"])
            pnl = Decimal(row["realized_pnl"]) + Decimal(row["unrealized_pnl"])
            lines.append(
                f"{whose}<b>{'LONG' if net > 0 else 'SHORT'} {number(str(abs(net)))} {name(row['symbol'])}</b> "
                f"{name(row['product'])} @ {number(row['average_price'])}, last {number(row['last_price'])} · "
                f"P&amp;L {signed(pnl)}"
            )
            lines += [
                f"   {name(each['strategy_name'])} holds {number(each['net_quantity'])}"
                for each in holdings
                if all(each[key] == row[key] for key in ("client_id", "exchange", "symbol", "product"))
            ]
        if not lines:
            lines = ["No open position."]
        lines += self._ages(clients, question.now)
        return [*lines, "To close one: /exit SYMBOL · all: /flatten"] if held else lines

    def _ages(self, clients: Sequence[str], now: datetime) -> list[str]:
        """When the positions were read, so that nobody takes old ones for present ones."""
        known = {row["client_id"]: row for row in self._reads.accounts()}
        lines = []
        for client in clients:
            row = known.get(client)
            if row is None or row["positions_read_at"] is None:
                lines.append(f"⚠️ {name(client)}: the positions were never read, so they are not known.")
            elif row["read_error"]:
                read = age(row["positions_read_at"], now)
                why = safe(row["read_error"], SENTENCE)
                lines.append(f"⚠️ {name(client)}: read {read} ago; they cannot be read since: {why}")
            else:
                lines.append(f"{name(client)}: read {age(row['positions_read_at'], now)} ago.")
        return lines

    def _pnl(self, question: Question) -> list[str]:
        known = {row["client_id"]: row for row in self._reads.accounts()}
        lines = ["<b>Profit and loss of the day</b>"]
        for client in question.chat.clients:
            row = known.get(client)
            if row is None or row["pnl"] is None:
                lines.append(f"{name(client)}: not known; the broker has not said it. /health says why.")
                continue
            worst = f", worst {number(row['lowest_pnl'])}" if row["lowest_pnl"] is not None else ""
            day = f" on {name(row['trading_day'])}" if row["trading_day"] else ""
            lines.append(f"{name(client)}: <b>{signed(Decimal(row['pnl']))}</b>{day}{worst}")
        return [*lines, *self._ages(question.chat.clients, question.now)]

    def _why(self, question: Question) -> list[str]:
        if not question.words:
            return self._failures(question)
        story = find_story(self._search, question.words[0], question.chat.clients)
        order, zone, now = story["order"], self._around.zone, question.now
        lines = [
            f"<b>{name(order['execution_type'])} {traded(order)}</b> · {stands(order)}",
            f"{name(order['client_id'])} · {name(order['strategy_name'])} · "
            f"{moment(order['created_at'], zone, now)} · {code(short_id(order['command_id']))}",
            *_reasons(order),
        ]
        for event in story["events"][-_EVENTS:]:
            said = f"{moment(event['at'], zone, now)} {name(event['to_phase'])}"
            lines.append(
                f"{said} · {name(event['actor'])}" + (f" · {name(event['tag'])}" if event["tag"] else "")
            )
        return [*lines, *_what_to_do(order)]

    def _failures(self, question: Question) -> list[str]:
        rows = list[Row]()
        for client in question.chat.clients:
            rows += self._reads.orders(Wanted(client_id=client, status=Status.FAILED), limit=5)[0]
        if not rows:
            return ["No order has failed."]
        lines = []
        for row in sorted(rows, key=lambda row: str(row["created_at"]), reverse=True)[:5]:
            lines.append(order_line(row, self._around.zone, question.now, several=question.several))
            lines += [f"   {line}" for line in _reasons(row)[:1]]
        return ["<b>The last orders that failed</b>", *lines, "More of one: /why ID"]

    def _unknown(self, question: Question) -> list[str]:
        rows = of_clients(self._reads.unknown_orders(), question.chat.clients)
        if not rows:
            return ["No order has an unknown outcome."]
        lines = ["🚨 <b>It is not known whether the broker has these orders</b>; they may be live or filled."]
        for row in rows:
            id_ = short_id(row["command_id"])
            lines += [
                order_line(row, self._around.zone, question.now, several=question.several),
                f"Tag {code(row['client_order_id'])}. Look in the broker's order book, then:",
                f"there: {code(f'/resolve {id_} found NUMBER')}",
                f"never there: {code(f'/resolve {id_} failed REASON')}",
            ]
        return [*lines, "New entries in their symbols wait meanwhile."]

    def _protections(self, question: Question) -> list[str]:
        lines = []
        for client in question.chat.clients:
            for row in self._reads.protections(client_id=client, open_only=True, limit=50):
                whose = f"{name(client)} · " if question.several else ""
                unknown = " · 🚨 no usable price" if row["is_unknown"] else ""
                lines.append(
                    f"{whose}<b>{row['side']} {number(row['quantity'])} {name(row['symbol'])}</b> "
                    f"stop {_level(row['stop_price'])}, target {_level(row['target_price'])}, "
                    f"last {_level(row['mark_price'])}{unknown} · {code(short_id(row['protection_id']))}"
                )
        if not lines:
            return ["No open protection: the watcher looks after no stop or target."]
        return [
            *lines,
            f"To change one: {code('/protect tighten ID stop PRICE')} or {code('/protect cancel ID')}",
        ]

    def _health(self, question: Question) -> list[str]:
        lines = []
        for key, check in self._checks(question).items():
            lines.append(f"{'✅' if check.ok else '🚨'} <b>{name(key)}</b>: {safe(check.sentence, SENTENCE)}")
        waiting = self._reads.outbox()
        if waiting["pending"]:
            lines.append(
                f"⏳ {waiting['pending']} messages wait, the oldest {age(waiting['oldest'], question.now)}."
            )
        heard = question.listening
        if heard.ignored and heard.ignored_at is not None:
            last = f"{heard.ignored_at.astimezone(self._around.zone):%d %b %H:%M}"
            lines.append(
                f"👤 {heard.ignored} messages of chats that are not configured were ignored, last {last}."
            )
        return lines

    def _checks(self, question: Question) -> dict[str, HealthCheck]:
        """The checks that concern this chat's clients, and those that concern all."""
        own = {f"broker:{client}" for client in question.chat.clients}
        checks = self._around.checks()
        return {key: each for key, each in checks.items() if not key.startswith("broker:") or key in own}


def _level(stored: str | None) -> str:
    return "none" if stored is None else number(stored)


def _trading(halted: Sequence[Row]) -> str:
    return "🛑" if any(not row["strategy_name"] for row in halted) else "▶️"


def _reasons(order: Row) -> list[str]:
    """Why an order stands where it stands, from its reason code; a broker's own words where it has none of ours."""
    lines = []
    if order["tag"]:
        lines.append(safe(sentence_of(order["tag"]), SENTENCE))
    if order["reason_message"] and reason_of(order["tag"]) is None:
        lines.append(safe(order["reason_message"], SENTENCE))
    elif order["reason_detail"]:
        lines.append(safe(order["reason_detail"], SENTENCE))
    return lines


def _what_to_do(order: Row) -> list[str]:
    id_ = short_id(order["command_id"])
    if order["phase"] == "UNKNOWN":
        return ["To settle it: /unknown"]
    if order["status"] in (Status.CREATED, Status.SENT_TO_BROKER):
        return [f"To take it back: {code(f'/cancel {id_}')}"]
    if order["status"] == Status.FAILED and order["execution_type"] == "EXIT":
        symbol = order["symbol"]
        return [f"Look whether it is still held: /positions · to exit again: {code(f'/exit {symbol}')}"]
    if family_of(order["tag"]) in (Family.RISK_BLOCKED, Family.GUARD_BLOCKED, Family.DUPLICATE_BLOCKED):
        return ["One of our rules stopped it; nothing was sent. /status says what is halted."]
    return []
