"""The conversation's rows on SQLite and in memory keep the same contract."""

from pathlib import Path

from hypothesis import given

from domain.conversation import CONFIRM_WITHIN, ActState
from domain.ports import ConversationStore
from persistence.database import open_database
from persistence.memory.conversations import MemoryConversations
from tests.contract.conversation_contract import ANN, BOT, PRESSES, ConversationContract, a_press, an_act
from tests.migrated import migrated
from tests.support import START


class TestSqliteConversations(ConversationContract):
    def make(self, folder: Path) -> ConversationStore:
        migrated(folder / "orders.db")
        return open_database(folder / "orders.db").conversations()


class TestMemoryConversations(ConversationContract):
    def make(self, folder: Path) -> ConversationStore:
        return MemoryConversations()


@given(PRESSES)
def test_an_act_is_taken_at_most_once_by_who_asked_and_within_its_time(presses):
    store = MemoryConversations()
    store.receive(BOT, 1, START, ask=an_act())
    taken = []
    for number, (user_id, seconds, accepts) in enumerate(presses):
        press = a_press(user_id=user_id, seconds=seconds, accepts=accepts)
        received = store.receive(BOT, 2 + number, START, press=press)
        assert received is not None and received.act is not None
        if received.is_changed and received.act.state is ActState.TAKEN:
            taken.append((user_id, accepts, seconds))
    assert len(taken) <= 1
    for user_id, accepts, seconds in taken:
        assert (user_id, accepts) == (ANN, True)
        assert 0 <= seconds < CONFIRM_WITHIN.total_seconds()
