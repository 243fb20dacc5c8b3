"""Mistakes in hearing operators in a chat: who is heard, who may act, how often, and how late."""

from tests.defects.defect import Defect, Edit

RULE = "domain/conversation.py"
TALK, LISTENER, ACTS = "conversation/conversation.py", "conversation/listener.py", "conversation/acts.py"
ACTING, LISTENING = "tests/conversation/test_acting.py", "tests/conversation/test_listening.py"
READING, STORE = "tests/conversation/test_reading.py", "tests/persistence/test_conversations.py"

CONVERSING = (
    Defect(
        "a-strangers-chat-is-answered",
        "Whoever found the bot's name could ask it what was held, and was answered.",
        (
            Edit(
                TALK,
                "        if isinstance(update, Unreadable) or update.chat_id not in self._chats:\n",
                "        if isinstance(update, Unreadable):\n",
            ),
            Edit(TALK, "        return update.chat_id in self._chats\n", "        return True\n"),
            Edit(
                TALK,
                "            self._said(update, self._chats[update.chat_id])\n",
                "            self._said(update, self._chats.get(update.chat_id) or next(iter(self._chats.values())))\n",
            ),
        ),
        (f"{LISTENING}::test_a_stranger_hears_nothing_and_is_counted",),
    ),
    Defect(
        "everybody-in-the-chat-acts",
        "To be in the group was the right to act: a guest who had been invited to look closed the positions.",
        (
            Edit(
                "conversation/ports.py",
                "        return [client for client in self.clients if user_id in self.operators[client]]\n",
                "        return self.clients\n",
            ),
        ),
        (
            f"{ACTING}::test_who_is_no_operator_cannot_even_ask",
            f"{ACTING}::test_an_operator_of_one_client_acts_on_that_one_alone",
        ),
    ),
    Defect(
        "who-presses-first-confirms",
        "One asked, and whoever else was in the group could press the button.",
        (
            Edit(
                RULE,
                "    if (act.bot, act.chat_id, act.user_id) != (press.bot, press.chat_id, press.user_id):\n",
                "    if (act.bot, act.chat_id) != (press.bot, press.chat_id):\n",
            ),
        ),
        (f"{STORE}::TestSqliteConversations::test_nobody_else_takes_it_and_nowhere_else",),
    ),
    Defect(
        "pressed-twice-acts-twice",
        "The button was pressed once more because nothing seemed to happen, and it was done once more.",
        (
            Edit(
                RULE,
                "    if act.state is not ActState.ASKED:\n",
                "    if act.state in (ActState.DECLINED, ActState.EXPIRED):\n",
            ),
        ),
        (f"{ACTING}::test_a_button_that_is_pressed_twice_acts_once",),
    ),
    Defect(
        "recorded-after-the-act",
        "The act was carried out first and written down after it: what was pressed in between did it again.",
        (
            Edit(
                "persistence/sqlite/conversations.py",
                "    if after != before:\n",
                "    if after != before and after.state is not ActState.TAKEN:\n",
            ),
            Edit(
                "persistence/sqlite/conversations.py",
                " WHERE act_id = ? AND state = 'TAKEN'\"",
                ' WHERE act_id = ?"',
            ),
        ),
        (
            f"{STORE}::TestSqliteConversations::test_it_is_taken_by_the_first_press_alone",
            f"{LISTENING}::test_death_between_the_button_and_the_act_neither_loses_nor_repeats_it",
        ),
    ),
    Defect(
        "an-old-button-acts",
        "A button of the week before was pressed by a pocket, and everything was closed.",
        (
            Edit(
                RULE,
                "    if not act.asked_at <= press.at < act.asked_at + CONFIRM_WITHIN:\n",
                "    if not act.asked_at <= press.at:\n",
            ),
        ),
        (f"{ACTING}::test_a_button_that_comes_too_late_does_nothing",),
    ),
    Defect(
        "an-update-is-heard-twice",
        "What had been heard was not kept: after a restart the chat's commands of the day were answered again.",
        (
            Edit(
                RULE,
                "        if update_id < self.offset(now):\n            return None\n",
                "",
            ),
        ),
        (
            f"{LISTENING}::test_an_update_that_comes_again_is_answered_once",
            f"{STORE}::TestSqliteConversations::test_an_update_is_received_once_and_the_offset_only_grows",
        ),
    ),
    Defect(
        "a-crash-loses-the-act",
        "The update was confirmed and the bot died before it halted anything: nobody ever halted it.",
        (
            Edit(
                "persistence/sqlite/queries/unfinished_telegram_acts.sql",
                "state IN ('TAKEN', 'DONE', 'FAILED', 'UNKNOWN')",
                "state IN ('DONE', 'FAILED', 'UNKNOWN')",
            ),
        ),
        (f"{LISTENING}::test_death_between_the_button_and_the_act_neither_loses_nor_repeats_it",),
    ),
    Defect(
        "a-crash-repeats-the-exit",
        "The bot died after it had asked for the exit, and asked for another one when it was back.",
        (
            Edit(
                "domain/planned_exit.py",
                '    return ulid(asked_at, int.from_bytes(hashlib.sha256(f"{act}|{index}".encode()).digest()[:10]))\n',
                '    return ulid(asked_at, __import__("secrets").randbits(80))\n',
            ),
        ),
        (f"{ACTING}::test_an_exit_that_was_asked_for_and_not_answered_is_not_asked_for_twice",),
    ),
    Defect(
        "an-interrupted-act-is-done-hours-later",
        "The machine was off over lunch; when it was back it closed what had been opened since.",
        (
            Edit(
                RULE,
                "    return act.pressed_at is not None and abs(now - act.pressed_at) < CARRIED_OUT_WITHIN\n",
                "    return act.pressed_at is not None\n",
            ),
        ),
        (f"{LISTENING}::test_an_act_that_was_interrupted_for_too_long_is_told_as_unknown",),
    ),
    Defect(
        "an-error-of-ours-is-told-as-done",
        "Something went wrong in the middle, and the chat said that it was done.",
        (
            Edit(
                TALK,
                "            return Outcome(ActState.UNKNOWN, [_UNKNOWN])\n",
                '            return Outcome(ActState.DONE, ["✅ Done."])\n',
            ),
        ),
        (f"{ACTING}::test_an_error_of_our_own_is_told_as_unknown",),
    ),
    Defect(
        "two-pollers-of-one-bot",
        "Two processes polled one bot, each ended the call of the other, and commands were heard by chance.",
        (
            Edit(
                LISTENER,
                "            self._held_at = now if is_held else None\n",
                "            self._held_at = now\n",
            ),
        ),
        (f"{LISTENING}::test_of_two_watchers_one_polls_and_the_other_takes_over",),
    ),
    Defect(
        "a-chat-shows-another-clients-orders",
        "With the end of an id that a friend had shown, the bot told the whole story of the friend's order.",
        (
            Edit(
                "conversation/finding.py",
                '    if story is None or story["order"]["client_id"] not in clients:\n',
                "    if story is None:\n",
            ),
        ),
        (f"{READING}::test_a_chat_sees_its_own_clients_alone",),
    ),
    Defect(
        "a-rejected-exit-makes-no-sound",
        "Every rejection came as quietly as a fill; the position that was to be closed was open until the morning.",
        (
            Edit(
                "notifications/severity.py",
                "        return Severity.ALARM\n    if message.kind in _ROUTINE:\n",
                "        return Severity.ROUTINE\n    if message.kind in _ROUTINE:\n",
            ),
        ),
        (
            "tests/notifications/test_severity.py::test_an_exit_that_came_to_nothing_is_an_alarm_and_an_entry_is_not",
        ),
    ),
)
