"""Answer one update: a reading command at once, an acting one with a question whose button carries it out.

Each update is recorded before anything is done on it, with what it asks for or confirms in the same write. So a crash
neither loses an act that was confirmed nor does it twice: who listens next finds it taken and finishes it.
"""

import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from conversation.acts import Acts, Outcome
from conversation.answers import Answers, Question
from conversation.finding import NotUnderstood
from conversation.ports import Chat
from conversation.proposals import Proposals, Wish
from conversation.updates import ACCEPT, DECLINE, Pressed, Said, Unreadable, Update, addressee_of, command_of
from conversation.words import SENTENCE, fits, fitted, name
from domain.conversation import CONFIRM_WITHIN, TOLD_WITHIN, Act, ActState, Press, is_still_wanted
from domain.errors import StoreUnavailable
from domain.ports import Button, Channel, ChannelFailed, Clock, ConversationStore
from notifications.markup import safe

log = logging.getLogger(__name__)

_TOO_OLD = timedelta(minutes=5)
"""A command that waited longer while nobody listened is not answered: what it asks about has changed."""

_ON = "may_act_on"  # the key of the clients on which the person could act when it was asked for

_PRESSED = {
    ActState.DECLINED: "Nothing was done.",
    ActState.EXPIRED: "Too late: nothing was done. Send the command again.",
}
_PRESSED_BEFORE = {
    ActState.TAKEN: "It is being done already.",
    ActState.DONE: "It was done already.",
    ActState.FAILED: "It was tried already; see the answer.",
    ActState.UNKNOWN: "It was interrupted; see the answer.",
    **_PRESSED,
}


@dataclass(frozen=True, slots=True)
class Commands:
    """What the conversation knows: the commands that read, those that act, and what carries acts out."""

    answers: Answers
    proposals: Proposals
    acts: Acts


class Conversation:
    """Talks in the chats that are configured, and in no other.

    Args:
        chats: the configured chats by id.
    """

    def __init__(
        self,
        channel: Channel,
        store: ConversationStore,
        chats: Mapping[str, Chat],
        commands: Commands,
        clock: Clock,
    ) -> None:
        self._channel = channel
        self._store = store
        self._chats = chats
        self._answers = commands.answers
        self._proposals = commands.proposals
        self._acts = commands.acts
        self._clock = clock

    def handle(self, update: Update) -> None:
        """Record an update and answer it. One that was received before does nothing.

        Raises:
            StoreUnavailable: it was not recorded, or not answered; nothing was done on it.
        """
        if isinstance(update, Unreadable) or update.chat_id not in self._chats:
            self._receive(update)
        elif isinstance(update, Pressed):
            self._pressed(update)
        else:
            self._said(update, self._chats[update.chat_id])

    def concerns(self, update: Update) -> bool:
        """Return True for an update from a chat that is configured."""
        return update.chat_id in self._chats

    def ignore(self, strangers: Sequence[Update]) -> None:
        """Record updates that concern nobody here, in one write: whoever floods the bot must not slow orders down."""
        now = self._clock.now()
        last = max(each.update_id for each in strangers)
        self._store.receive(self._channel.bot_id, last, now, ignored=len(strangers))

    def pass_over(self, update: Update) -> None:
        """Record an update that cannot be answered because of a defect, so that those after it can be."""
        self._receive(update)

    def finish_open(self) -> None:
        """Finish acts that were confirmed and interrupted, and tell outcomes that did not reach the chat."""
        for act in self._store.unfinished(self._channel.bot_id):
            if act.state is ActState.TAKEN:
                self._finish(act)
            else:
                self._tell(act, act.outcome)

    # messages -------------------------------------------------------------------------------------------------

    def _said(self, said: Said, chat: Chat) -> None:
        command, words = command_of(said.typed)
        now = self._clock.now()
        if (not command and not said.is_private) or self._is_for_another(said):
            self._receive(said)  # people who talk to each other, or to another bot
            return
        if abs(now - said.at) > _TOO_OLD:
            self._receive(said)
            log.warning(
                "/%s of %s is not answered at %s: too old, or the clock is wrong", command, said.at, now
            )
            return
        reads_protections = command == "protect" and not words
        if command in self._proposals.commands and not reads_protections:
            self._ask(said, chat, command, words, now)
            return
        if not self._receive(said):
            return
        lines = self._answer(chat, "protections" if reads_protections else command, words, now)
        self._reply(said.chat_id, fitted(lines), to=said.message_id)

    def _is_for_another(self, said: Said) -> bool:
        """Return True for `/halt@OtherBot`: several bots may hear one group."""
        addressee = addressee_of(said.typed)
        if not addressee:
            return False
        try:
            return addressee.lower() != self._channel.user_name().lower()
        except ChannelFailed as error:
            log.warning(
                "chat %s: whether /…@%s is for this bot is not known: %s", said.chat_id, addressee, error
            )
            return True

    def _answer(self, chat: Chat, command: str, words: Sequence[str], now: datetime) -> list[str]:
        found = self._answers.commands.get(command)
        if found is None:
            unknown = bool(command) and command not in ("help", "start")
            return [*([f"There is no /{name(command)}."] if unknown else []), *self._help()]
        listening = self._store.listening(self._channel.bot_id)
        try:
            return found[0](Question(chat, words, now, listening))
        except NotUnderstood as error:
            return [str(error)]
        except StoreUnavailable as error:
            return [f"🚨 The database cannot be read now: {safe(str(error), SENTENCE)}"]

    def _help(self) -> list[str]:
        reading = [f"/{key} {told}" for key, (_, told) in self._answers.commands.items()]
        acting = [f"/{key} {told}" for key, (_, told) in self._proposals.commands.items()]
        return [
            "<b>To look</b>",
            *reading,
            "<b>To act</b> (operators only, with a button to confirm)",
            *acting,
        ]

    def _ask(self, said: Said, chat: Chat, command: str, words: Sequence[str], now: datetime) -> None:
        user_id = "" if said.is_anonymous else said.user_id
        try:
            wish = Wish(chat, user_id, words, now)
            proposal = self._proposals.propose(command, wish)
            seconds = int(CONFIRM_WITHIN.total_seconds())
            lines = [*proposal.lines, f"Confirm within {seconds} s; only you can."]
            if not fits(lines):
                raise NotUnderstood(
                    "That is more than one message can show: name a client, or use the console."
                )
        except NotUnderstood as error:
            if self._receive(said):
                self._reply(said.chat_id, str(error), to=said.message_id)
            return
        act = Act(
            act_id=secrets.token_hex(10),
            bot=self._channel.bot_id,
            chat_id=said.chat_id,
            user_id=user_id,
            kind=command,
            asked_at=now,
            arguments={**proposal.arguments, _ON: wish.clients},
        )
        if self._store.receive(act.bot, said.update_id, now, ask=act) is None:
            return
        buttons = (Button("✅ Do it", f"{ACCEPT}:{act.act_id}"), Button("✖️ No", f"{DECLINE}:{act.act_id}"))
        self._reply(said.chat_id, fitted(lines), to=said.message_id, buttons=buttons)

    # buttons --------------------------------------------------------------------------------------------------

    def _pressed(self, pressed: Pressed) -> None:
        answer, _, act_id = pressed.data.partition(":")
        now, bot = self._clock.now(), self._channel.bot_id
        accepts = answer == ACCEPT
        press = Press(act_id, bot, pressed.chat_id, pressed.user_id, accepts=accepts, at=now)
        received = self._store.receive(bot, pressed.update_id, now, press=press)
        if received is None:
            return
        act = received.act
        is_his = act is not None and (act.chat_id, act.user_id) == (pressed.chat_id, pressed.user_id)
        if act is None or not is_his:
            self._answer_button(pressed, "Only who asked for it can confirm it.")
            return
        if not received.is_changed:
            self._answer_button(pressed, _PRESSED_BEFORE.get(act.state, "Nothing was done."))
            return
        if act.state is ActState.TAKEN:
            self._finish(act)
            self._answer_button(pressed, "See the answer.")
        else:
            self._answer_button(pressed, _PRESSED[act.state])
            self._reply(pressed.chat_id, _PRESSED[act.state], to=pressed.message_id)
        with suppress(ChannelFailed):
            self._channel.take_buttons_away(pressed.chat_id, pressed.message_id)

    def _finish(self, act: Act) -> None:
        """Carry out an act that was taken, and tell what became of it. Done again after a crash, it does no harm."""
        now = self._clock.now()
        if not is_still_wanted(act, now):
            outcome = Outcome(ActState.UNKNOWN, [_INTERRUPTED])
        elif not self._may_still(act):
            outcome = Outcome(ActState.FAILED, ["❌ You are no operator here any more: nothing was done."])
        else:
            outcome = self._carried_out(act)
        words = fitted(outcome.lines)
        log.info("%s: /%s %s: %s", act.by, act.kind, act.act_id, outcome.state)
        self._store.finish(act.act_id, outcome.state, words, self._clock.now())
        self._tell(act, words)

    def _may_still(self, act: Act) -> bool:
        chat = self._chats.get(act.chat_id)
        return chat is not None and set(act.arguments[_ON]) <= set(chat.acts_on(act.user_id))

    def _carried_out(self, act: Act) -> Outcome:
        try:
            return self._acts.carry_out(act)
        except StoreUnavailable:
            raise  # it stays taken, and the next round tries again
        except Exception:  # the outermost handler: whoever pressed must hear that it is not known
            log.exception("act %s (/%s)", act.act_id, act.kind)
            return Outcome(ActState.UNKNOWN, [_UNKNOWN])

    def _tell(self, act: Act, words: str) -> None:
        now = self._clock.now()
        is_told = self._reply(act.chat_id, f"<b>/{act.kind}</b> by {name(act.by)}\n{words}")
        if is_told or abs(now - (act.pressed_at or act.asked_at)) > TOLD_WITHIN:
            self._store.mark_told(act.act_id, now)

    # ----------------------------------------------------------------------------------------------------------

    def _receive(self, update: Update) -> bool:
        return self._store.receive(self._channel.bot_id, update.update_id, self._clock.now()) is not None

    def _reply(
        self, chat_id: str, words: str, *, to: int | None = None, buttons: Sequence[Button] = ()
    ) -> bool:
        try:
            self._channel.reply(chat_id, words, to=to, buttons=buttons)
        except ChannelFailed as error:
            log.warning("chat %s: an answer was not delivered: %s", chat_id, error)
            return False
        return True

    def _answer_button(self, pressed: Pressed, words: str) -> None:
        with suppress(ChannelFailed):
            self._channel.answer_button(pressed.callback_id, words)


_INTERRUPTED = (
    "❓ It was interrupted, and it is not known whether it was carried out. Look with /status, /orders and /positions, "
    "and send the command again if it is still wanted."
)
_UNKNOWN = (
    "❓ An error of our own came in between: it is not known whether it was carried out. Look with /status, /orders "
    "and /positions before you send it again."
)
