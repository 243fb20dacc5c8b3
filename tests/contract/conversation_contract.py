"""What every store of the conversation keeps to."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st

from domain.conversation import Act, ActState, Press
from domain.ports import ConversationStore
from tests.support import START

BOT, CHAT, ANN, BEN = "123456", "4242", "11", "22"


def an_act(act_id: str = "a1", user_id: str = ANN) -> Act:
    return Act(act_id, BOT, CHAT, user_id, "halt", START, {"clients": ["default"], "reason": "₹ 😀"})


def a_press(act_id: str = "a1", user_id: str = ANN, seconds: float = 5, *, accepts: bool = True) -> Press:
    return Press(act_id, BOT, CHAT, user_id, accepts, START + timedelta(seconds=seconds))


class ConversationContract:
    """Subclassed for each store."""

    def make(self, folder: Path) -> ConversationStore:
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> ConversationStore:
        return self.make(tmp_path)

    def test_an_update_is_received_once_and_the_offset_only_grows(self, store):
        assert store.listening(BOT).offset(START) == 0
        assert store.receive(BOT, 7, START) is not None
        assert store.receive(BOT, 7, START) is None
        assert store.receive(BOT, 5, START) is None
        assert store.listening(BOT).offset(START) == 8
        assert store.listening("another").offset(START) == 0

    def test_ignored_updates_are_counted_once_each(self, store):
        for update_id, count in ((1, 1), (1, 1), (4, 3)):
            store.receive(BOT, update_id, START, ignored=count)
        store.receive(BOT, 5, START + timedelta(seconds=1))
        heard = store.listening(BOT)
        assert (heard.ignored, heard.ignored_at, heard.next_update) == (4, START, 6)

    def test_an_act_is_kept_as_it_was_asked_for(self, store):
        store.receive(BOT, 1, START, ask=an_act())
        received = store.receive(BOT, 2, START, press=a_press())
        assert received.is_changed
        act = received.act
        assert (act.state, act.arguments, act.user_id, act.asked_at) == (
            ActState.TAKEN,
            an_act().arguments,
            ANN,
            START,
        )

    def test_an_update_that_comes_again_asks_for_nothing(self, store):
        store.receive(BOT, 1, START)
        assert store.receive(BOT, 1, START, ask=an_act()) is None
        assert store.receive(BOT, 2, START, press=a_press()).act is None

    def test_it_is_taken_by_the_first_press_alone(self, store):
        store.receive(BOT, 1, START, ask=an_act())
        assert store.receive(BOT, 2, START, press=a_press()).is_changed
        assert not store.receive(BOT, 3, START, press=a_press()).is_changed
        assert not store.receive(BOT, 4, START, press=a_press(accepts=False)).is_changed

    def test_nobody_else_takes_it_and_nowhere_else(self, store):
        store.receive(BOT, 1, START, ask=an_act())
        for number, press in enumerate(
            (a_press(user_id=BEN), replace(a_press(), chat_id="-1007"), replace(a_press(), bot="654321"))
        ):
            received = store.receive(BOT, 2 + number, START, press=press)
            assert (received.act.state, received.is_changed) == (ActState.ASKED, False)
        assert store.receive(BOT, 9, START, press=a_press()).act.state is ActState.TAKEN

    def test_acts_are_unfinished_until_their_outcome_is_told(self, store):
        for number, id_ in enumerate(("a1", "a2")):
            store.receive(BOT, 2 * number, START, ask=an_act(id_))
        assert store.unfinished(BOT) == []
        store.receive(BOT, 9, START, press=a_press("a1"))
        assert [(act.act_id, act.state) for act in store.unfinished(BOT)] == [("a1", ActState.TAKEN)]
        store.finish("a1", ActState.DONE, "halted", START)
        store.finish("a1", ActState.FAILED, "again", START)
        [act] = store.unfinished(BOT)
        assert (act.state, act.outcome, act.is_told) == (ActState.DONE, "halted", False)
        assert store.unfinished("another") == []
        store.mark_told("a1", START)
        assert store.unfinished(BOT) == []

    def test_a_chat_is_muted_until_the_last_time_that_was_said(self, store):
        assert store.muted_until(CHAT) is None
        for hours in (2, 1):
            store.mute(CHAT, START + timedelta(hours=hours), ANN, START)
        assert store.muted_until(CHAT) == START + timedelta(hours=1)
        assert store.muted_until("other") is None


PRESSES = st.lists(
    st.tuples(st.sampled_from([ANN, BEN]), st.integers(-90, 180), st.booleans()), min_size=1, max_size=6
)
