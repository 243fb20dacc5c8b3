"""Make an act of an acting command: who may, on which clients, and what exactly would be done. Nothing is done here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from conversation.finding import NotUnderstood, find_story
from conversation.ports import Actions, Chat, OrderSearch
from conversation.words import SENTENCE, code, name, number, of_clients, short_id, stands, traded
from domain.cancellation import hindrance
from domain.errors import NotFound
from domain.ports import ReadModel
from domain.states import Phase
from notifications.markup import safe

_MOST_EXITS = 30
_LONGEST_MUTE = timedelta(hours=12)
_MOST = Decimal(10) ** 15


@dataclass(frozen=True, slots=True)
class Wish:
    """An acting command: where, by whom, and its words."""

    chat: Chat
    user_id: str
    words: Sequence[str]
    now: datetime

    @property
    def clients(self) -> list[str]:
        """The clients on which this person may act from this chat."""
        return self.chat.acts_on(self.user_id)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be done: `arguments` for the act, and the lines that the person confirms."""

    arguments: dict[str, Any]
    lines: list[str]


class Proposals:
    """The acting commands, by name."""

    def __init__(self, reads: ReadModel, search: OrderSearch, actions: Actions) -> None:
        self._reads = reads
        self._search = search
        self._actions = actions
        self.commands: dict[str, tuple[Callable[[Wish], Proposal], str]] = {
            "halt": (self._halt, "[CLIENT] [STRATEGY] [REASON]: stop new entries; exits go on"),
            "resume": (self._resume, "[CLIENT] [STRATEGY]: lift a halt"),
            "cancel": (self._cancel, "ID [REASON]: take an order back"),
            "exit": (self._exit, "SYMBOL [CLIENT]: close what is held of it, at market"),
            "flatten": (self._flatten, "[CLIENT]: close everything, at market"),
            "resolve": (self._resolve, "ID found NUMBER, or executed NUMBER UNITS [PRICE], or failed REASON"),
            "protect": (self._protect, "lists; cancel ID [REASON]; tighten ID stop PRICE target PRICE"),
            "mute": (self._mute, "MINUTES or off: what is no alarm comes without a sound"),
        }

    def propose(self, command: str, wish: Wish) -> Proposal:
        """Return what the command would do.

        Raises:
            NotUnderstood: nothing can be done as it was typed, or by this person.
        """
        if not wish.clients:
            raise NotUnderstood(
                f"You may read here and not act: {code(wish.user_id)} is not in TELEGRAM_OPERATORS of "
                f"{name(', '.join(wish.chat.clients))}. Nothing was done."
            )
        return self.commands[command][0](wish)

    # ----------------------------------------------------------------------------------------------------------

    def _halt(self, wish: Wish) -> Proposal:
        clients, words = _clients_named(wish)
        strategy = None
        if words and words[0] in {each for client in clients for each in self._reads.strategies(client)}:
            strategy, words = words[0], words[1:]
        reason = " ".join(words) or "by Telegram"
        what = f"strategy {name(strategy)}" if strategy else "ALL strategies"
        lines = [f"🛑 Stop new entries of <b>{name(', '.join(clients))}</b>, {what}?"]
        lines += [f"Reason: {safe(reason, SENTENCE)}", "Exits still go. Open orders stay where they are."]
        return Proposal({"clients": clients, "strategy": strategy, "reason": reason}, lines)

    def _resume(self, wish: Wish) -> Proposal:
        clients, words = _clients_named(wish)
        halts = [(row["client_id"], row["strategy_name"]) for row in of_clients(self._reads.halts(), clients)]
        if words:
            halts = [each for each in halts if each[1] == words[0]]
        if not halts:
            raise NotUnderstood("Nothing of that is halted. /status says what is.")
        lines = ["▶️ Let entries go again?"]
        lines += [
            f"{name(client)}: {name(strategy) if strategy else 'all strategies'}"
            for client, strategy in halts
        ]
        return Proposal({"halts": [list(each) for each in halts]}, lines)

    def _cancel(self, wish: Wish) -> Proposal:
        if not wish.words:
            raise NotUnderstood(f"Which order? {code('/cancel ID')}; /orders lists the latest.")
        order = find_story(self._search, wish.words[0], wish.clients)["order"]
        hindered = hindrance(Phase(order["phase"]), order["broker_order_id"])
        if hindered is not None:
            raise NotUnderstood(f"{traded(order)} cannot be cancelled: {safe(hindered, SENTENCE)}.")
        reason = " ".join(wish.words[1:]) or "by Telegram"
        line = f"✋ Take back <b>{name(order['execution_type'])} {traded(order)}</b> ({stands(order)})?"
        return Proposal({"command_id": order["command_id"], "reason": reason}, [line, _whose(order)])

    def _exit(self, wish: Wish) -> Proposal:
        if not wish.words:
            raise NotUnderstood(f"Of which symbol? {code('/exit SYMBOL')}; /positions lists them.")
        typed = wish.words[0].upper()
        held = (row["symbol"] for row in of_clients(self._reads.positions(), wish.clients))
        symbol = next((each for each in held if each.upper() == typed), typed)  # as its broker writes it
        return self._closing(wish, wish.words[1:], symbol)

    def _flatten(self, wish: Wish) -> Proposal:
        return self._closing(wish, wish.words, None)

    def _closing(self, wish: Wish, words: Sequence[str], symbol: str | None) -> Proposal:
        clients, rest = _named_among(words, wish.clients)
        if rest:
            raise NotUnderstood(
                f"{name(rest[0])} is none of the clients here: {name(', '.join(wish.clients))}."
            )
        try:
            exits = [each for client in clients for each in self._actions.planned_exits(client, symbol)]
        except NotFound as error:
            raise NotUnderstood(safe(str(error), SENTENCE)) from None
        if not exits:
            raise NotUnderstood(f"Nothing is open in {name(symbol)}." if symbol else "Nothing is open.")
        if len(exits) > _MOST_EXITS:
            raise NotUnderstood(
                f"{len(exits)} exits are too many for one button: name a client, or use the console."
            )
        lines = [f"🚪 Close at market ({len(exits)} exits)?"]
        lines += [
            f"{name(each.client_id)} · {name(each.strategy_name)}: <b>{number(each.quantity)} "
            f"{name(each.symbol)}</b> {name(each.product)}"
            for each in exits
        ]
        lines.append("Each is sized by the position it finds. Entries go on: /halt stops them.")
        return Proposal({"exits": [list(each) for each in exits]}, lines)

    def _resolve(self, wish: Wish) -> Proposal:
        usage = (
            f"{code('/resolve ID found NUMBER')}, {code('/resolve ID executed NUMBER UNITS PRICE')} or "
            f"{code('/resolve ID failed REASON')}. /unknown lists the orders."
        )
        if len(wish.words) < 3:
            raise NotUnderstood(usage)
        typed_id, how, *rest = wish.words
        order = find_story(self._search, typed_id, wish.clients)["order"]
        if order["phase"] != Phase.UNKNOWN:
            raise NotUnderstood(f"{traded(order)} is {stands(order)}: only an unknown outcome is resolved.")
        found = _resolution(how.lower(), rest)
        if found is None:
            raise NotUnderstood(usage)
        arguments, said = found
        line = f"🧭 Record that <b>{name(order['execution_type'])} {traded(order)}</b> {said}?"
        return Proposal({"command_id": order["command_id"], **arguments}, [line, _whose(order)])

    def _protect(self, wish: Wish) -> Proposal:
        usage = (
            f"{code('/protect cancel ID REASON')} or {code('/protect tighten ID stop PRICE target PRICE')}"
        )
        if len(wish.words) < 2 or wish.words[0].lower() not in ("cancel", "tighten"):
            raise NotUnderstood(usage)
        what, typed_id, *rest = wish.words
        row = self._protection(typed_id, wish.clients)
        head = f"<b>{row['side']} {number(row['quantity'])} {name(row['symbol'])}</b>"
        now = f"stop {number(row['stop_price'])}, target {number(row['target_price'])}"
        arguments: dict[str, Any] = {"protection_id": row["protection_id"]}
        if what.lower() == "cancel":
            arguments["reason"] = " ".join(rest) or "by Telegram"
            line = f"🛡️ End the protection of {head} ({now})? The position stays, WITHOUT a stop."
            return Proposal({"do": "cancel", **arguments}, [line])
        levels = _levels(rest)
        if levels is None:
            raise NotUnderstood(usage)
        wanted = ", ".join(f"{key} {number(value)}" for key, value in levels.items())
        return Proposal({"do": "tighten", **arguments, **levels}, [f"🛡️ Set {head} ({now}) to {wanted}?"])

    def _protection(self, typed_id: str, clients: Sequence[str]) -> Any:
        found = [
            row
            for client in clients
            for row in self._reads.protections(client_id=client, open_only=True, limit=500)
            if row["protection_id"].endswith(typed_id.lower())
        ]
        if len(found) != 1:
            said = "No open protection's id ends" if not found else "Several protections' ids end"
            raise NotUnderstood(f"{said} with {name(typed_id)}. /protect lists them.")
        return found[0]

    def _mute(self, wish: Wish) -> Proposal:
        if wish.clients != wish.chat.clients:
            raise NotUnderstood(
                "Others are told here too: only an operator of all its clients mutes this chat."
            )
        typed = wish.words[0].lower() if wish.words else "60"
        if typed == "off":
            return Proposal({"minutes": 0}, ["🔔 Let messages sound again?"])
        longest = int(_LONGEST_MUTE.total_seconds() // 60)
        if not typed.isascii() or not typed.isdigit() or not 1 <= int(typed[:6]) <= longest:
            raise NotUnderstood(f"{code('/mute MINUTES')}, from 1 to {longest}, or {code('/mute off')}")
        line = f"🔕 For {int(typed)} minutes, let what is no alarm come without a sound? Alarms still sound."
        return Proposal({"minutes": int(typed)}, [line])


def _clients_named(wish: Wish) -> tuple[list[str], list[str]]:
    return _named_among(wish.words, wish.clients)


def _named_among(words: Sequence[str], clients: Sequence[str]) -> tuple[list[str], list[str]]:
    """The client that the first word names, or all, and the words after it."""
    if words and words[0] in clients:
        return [words[0]], list(words[1:])
    return list(clients), list(words)


def _resolution(how: str, rest: Sequence[str]) -> tuple[dict[str, str | None], str] | None:
    """What was found out, as arguments and in words; None where it was not said as it must be."""
    if how == "failed" and rest != ["REASON"]:
        reason = " ".join(rest)
        return {"failed": reason}, f"never reached the broker ({safe(reason, SENTENCE)})"
    if how == "found" and len(rest) == 1 and rest != ["NUMBER"]:
        return {"number": rest[0], "units": None, "price": None}, f"is the broker's order {name(rest[0])}"
    if how == "executed" and len(rest) in (2, 3):
        units, price = _amount(rest[1]), _amount(rest[2]) if len(rest) == 3 else None
        if units is None or (len(rest) == 3 and price is None):
            return None
        said = f"was filled, {number(units)} @ {number(price)}, as the broker's order {name(rest[0])}"
        return {"number": rest[0], "units": units, "price": price}, said
    return None


def _levels(words: Sequence[str]) -> dict[str, str] | None:
    """`stop 110 target 130` by name; None where it is not of that form."""
    levels = dict(zip([word.lower() for word in words[::2]], map(_amount, words[1::2]), strict=False))
    known = {key: value for key, value in levels.items() if value is not None and key in ("stop", "target")}
    return known if known and 2 * len(known) == len(words) else None


def _amount(typed: str) -> str | None:
    """A number greater than 0 as decimal text; None where it is none."""
    try:
        value = Decimal(typed)
    except InvalidOperation:
        return None
    return str(value) if value.is_finite() and 0 < value <= _MOST else None


def _whose(order: Any) -> str:
    return (
        f"{name(order['client_id'])} · {name(order['strategy_name'])} · {code(short_id(order['command_id']))}"
    )
