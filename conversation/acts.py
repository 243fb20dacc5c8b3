"""Carry out a confirmed act. Each part is harmless when it is done a second time, after a crash in between."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from command_service import ResolvedFill
from conversation.ports import Actions
from conversation.words import SENTENCE, name, number
from domain.conversation import Act, ActState
from domain.errors import ConcurrentUpdate, IllegalTransition, InvalidProtection, InvalidResolution, NotFound
from domain.planned_exit import PlannedExit, exit_id
from domain.ports import Clock, ConversationStore
from notifications.markup import safe

_NOT_POSSIBLE = (ConcurrentUpdate, IllegalTransition, InvalidProtection, InvalidResolution, NotFound)


class Outcome(NamedTuple):
    """What became of an act, with the lines that say so."""

    state: ActState
    lines: list[str]


class Acts:
    """Carries out acts by their kind."""

    def __init__(self, actions: Actions, store: ConversationStore, clock: Clock) -> None:
        self._actions = actions
        self._store = store
        self._clock = clock
        self._ways: dict[str, Callable[[Act], list[tuple[str, Callable[[], str]]]]] = {
            "halt": self._halt,
            "resume": self._resume,
            "cancel": self._cancel,
            "exit": self._exits,
            "flatten": self._exits,
            "resolve": self._resolve,
            "protect": self._protect,
            "mute": self._mute,
        }

    def carry_out(self, act: Act) -> Outcome:
        """Do all parts of the act, and say of each what became of it.

        Raises:
            StoreUnavailable: a part could not be stored, and those after it were not begun.
        """
        failed, lines = False, list[str]()
        for what, do in self._ways[act.kind](act):
            try:
                lines.append(f"✅ {do()}")
            except _NOT_POSSIBLE as error:
                failed = True
                lines.append(f"❌ {what}: {safe(str(error), SENTENCE)}")
        return Outcome(ActState.FAILED if failed else ActState.DONE, lines)

    # Each returns the parts of an act: what it is about, and what does it and says so.

    def _halt(self, act: Act) -> list[tuple[str, Callable[[], str]]]:
        strategy, reason = act.arguments["strategy"], act.arguments["reason"]
        what = f"strategy {name(strategy)}" if strategy else "all strategies"

        def part(client: str) -> tuple[str, Callable[[], str]]:
            def do() -> str:
                self._actions.halt(client, strategy, act.by, reason)
                return f"Halted: {name(client)}, {what}. No new entry is sent; exits still go."

            return name(client), do

        return [part(client) for client in act.arguments["clients"]]

    def _resume(self, act: Act) -> list[tuple[str, Callable[[], str]]]:
        def part(client: str, strategy: str) -> tuple[str, Callable[[], str]]:
            what = f"{name(client)}, {f'strategy {name(strategy)}' if strategy else 'all strategies'}"

            def do() -> str:
                lifted = self._actions.resume(client, strategy or None, act.by)
                return f"Entries go again: {what}." if lifted else f"Not halted any more: {what}."

            return what, do

        return [part(client, strategy) for client, strategy in act.arguments["halts"]]

    def _cancel(self, act: Act) -> list[tuple[str, Callable[[], str]]]:
        def do() -> str:
            self._actions.cancel(act.arguments["command_id"], by=act.by, reason=act.arguments["reason"])
            return (
                "The cancel is asked for. An order that was not sent has ended; of a live one the broker decides, and "
                "a message says how."
            )

        return [("The cancel", do)]

    def _exits(self, act: Act) -> list[tuple[str, Callable[[], str]]]:
        def part(index: int, planned: PlannedExit) -> tuple[str, Callable[[], str]]:
            what = f"{name(planned.client_id)} {number(planned.quantity)} {name(planned.symbol)}"

            def do() -> str:
                said = self._actions.exit_position(
                    planned, id_=exit_id(f"{act.bot}|{act.act_id}", act.asked_at, index), by=act.by
                )
                return f"Exit of {what}: {name(said)}"

            return what, do

        return [part(index, PlannedExit(*each)) for index, each in enumerate(act.arguments["exits"])]

    def _resolve(self, act: Act) -> list[tuple[str, Callable[[], str]]]:
        arguments = act.arguments

        def do() -> str:
            fill = None
            if "number" in arguments:
                units, price = _decimal(arguments["units"]), _decimal(arguments["price"])
                fill = ResolvedFill(arguments["number"], units, price, "by Telegram")
            failed = arguments.get("failed")
            self._actions.resolve(arguments["command_id"], by=act.by, executed=fill, failed_reason=failed)
            return "Recorded. What it means for the position: /why and /positions."

        return [("Nothing was recorded", do)]

    def _protect(self, act: Act) -> list[tuple[str, Callable[[], str]]]:
        arguments, id_ = act.arguments, act.arguments["protection_id"]

        def cancel() -> str:
            self._actions.cancel_protection(id_, by=act.by, reason=arguments["reason"])
            return "The protection has ended. The position has no stop any more."

        def tighten() -> str:
            stop, target = _decimal(arguments.get("stop")), _decimal(arguments.get("target"))
            self._actions.tighten_protection(id_, stop=stop, target=target, by=act.by)
            return "The levels are set. The watcher looks after them."

        return [("The protection", cancel if arguments["do"] == "cancel" else tighten)]

    def _mute(self, act: Act) -> list[tuple[str, Callable[[], str]]]:
        def do() -> str:
            minutes = int(act.arguments["minutes"])
            until = (act.pressed_at or act.asked_at) + timedelta(minutes=minutes)
            self._store.mute(act.chat_id, until, act.by, self._clock.now())
            if not minutes:
                return "Messages sound again."
            return f"Muted for {minutes} minutes. Alarms still sound. To end it: /mute off"

        return [("Mute", do)]


def _decimal(stored: Any) -> Decimal | None:
    return None if stored is None else Decimal(stored)
