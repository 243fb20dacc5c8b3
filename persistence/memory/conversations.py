"""Implement `domain.ports.ConversationStore` in memory, for tests."""

import threading
from dataclasses import replace
from datetime import datetime

from domain.conversation import ENDED, Act, ActState, Listening, Press, pressed
from domain.ports import Received


class MemoryConversations:
    """The conversation's rows in dicts."""

    def __init__(self) -> None:
        self.acts: dict[str, Act] = {}
        self._bots: dict[str, Listening] = {}
        self._mutes: dict[str, datetime] = {}
        self._turn = threading.Lock()

    def listening(self, bot: str) -> Listening:
        return self._bots.get(bot, Listening())

    def receive(
        self,
        bot: str,
        update_id: int,
        at: datetime,
        *,
        ignored: int = 0,
        ask: Act | None = None,
        press: Press | None = None,
    ) -> Received | None:
        with self._turn:
            after = self.listening(bot).after(update_id, at, ignored=ignored)
            if after is None:
                return None
            self._bots[bot] = after
            if ask is not None:
                self.acts[ask.act_id] = ask
                return Received(ask, is_changed=True)
            before = None if press is None else self.acts.get(press.act_id)
            if press is None or before is None:
                return Received(None, is_changed=False)
            self.acts[before.act_id] = changed = pressed(before, press)
            return Received(changed, changed != before)

    def finish(self, act_id: str, state: ActState, outcome: str, at: datetime) -> None:
        act = self.acts[act_id]
        if act.state is ActState.TAKEN:
            self.acts[act_id] = replace(act, state=state, outcome=outcome)

    def mark_told(self, act_id: str, at: datetime) -> None:
        self.acts[act_id] = replace(self.acts[act_id], is_told=True)

    def unfinished(self, bot: str) -> list[Act]:
        states = (ActState.TAKEN, *ENDED)
        found = [
            act for act in self.acts.values() if act.bot == bot and act.state in states and not act.is_told
        ]
        return sorted(found, key=lambda act: (act.asked_at, act.act_id))

    def mute(self, chat_id: str, until: datetime, by: str, at: datetime) -> None:
        self._mutes[chat_id] = until

    def muted_until(self, chat_id: str) -> datetime | None:
        return self._mutes.get(chat_id)
