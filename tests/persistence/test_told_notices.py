"""What a person is notified of once: remembered by its key, in the transaction that puts the message out."""

from typing import Any

import pytest

from domain.errors import StoreUnavailable
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.ports import Transaction
from persistence.sqlite.repository import OrderRepository
from tests.persistence.making import Maker

KEY = NoticeKey(NoticeSubject.UNCONFIGURED_CLIENT)
OTHER = NoticeKey(NoticeSubject.UNCONFIGURED_CLIENT, ("B1", "50"))


@pytest.fixture
def maker(tmp_path) -> Maker:
    return Maker(tmp_path / "orders.db")


def notice(client_id: str = "default", detail: str = "look at it") -> Notice:
    return Notice(NoticeKind.SYSTEM, client_id, detail=detail)


def tell(maker: Maker, key: NoticeKey = KEY, client_id: str = "default", **options: Any) -> bool:
    return maker.store.write(lambda tx: tx.notify_once(key, notice(client_id), **options))


def clear(maker: Maker, key: NoticeKey = KEY, client_id: str = "default") -> bool:
    return maker.store.write(lambda tx: tx.clear_notice(client_id, key))


def messages(maker: Maker, client_id: str = "default") -> int:
    found = maker.rows(f"SELECT count(*) FROM telegram_messages WHERE client_id = '{client_id}'")
    return int(found[0][0])


def test_a_key_is_told_once_and_its_message_is_in_the_outbox(maker):
    assert [tell(maker) for _ in range(3)] == [True, False, False]
    assert messages(maker) == 1


def test_whether_it_was_told_does_not_depend_on_the_words(maker):
    for detail in ("look at it", "please look at it"):
        maker.store.write(lambda tx, detail=detail: tx.notify_once(KEY, notice(detail=detail)))
    assert messages(maker) == 1


def test_another_process_tells_it_no_second_time(maker):
    tell(maker)
    other = OrderRepository(maker.path, clock=maker.clock, render=str)
    assert other.write(lambda tx: tx.notify_once(KEY, notice())) is False
    assert messages(maker) == 1


def test_what_was_cleared_is_told_again(maker):
    assert not clear(maker)
    tell(maker)
    assert clear(maker) and not clear(maker)
    assert tell(maker) and not tell(maker)
    assert messages(maker) == 2


def test_what_was_rolled_back_was_not_told(maker):
    def die(tx: Transaction) -> None:
        assert tx.notify_once(KEY, notice())
        assert not tx.notify_once(KEY, notice())
        raise KeyError("the process ends here")

    with pytest.raises(KeyError):
        maker.store.write(die)
    assert messages(maker) == 0
    assert tell(maker)


def test_a_clearing_that_was_rolled_back_clears_nothing(maker):
    tell(maker)

    def die(tx: Transaction) -> None:
        tx.clear_notice("default", KEY)
        raise StoreUnavailable("no room")

    with pytest.raises(StoreUnavailable):
        maker.store.write(die)
    assert not tell(maker)


def test_two_clients_and_two_keys_are_apart(maker):
    assert tell(maker) and tell(maker, client_id="second") and tell(maker, OTHER)
    assert clear(maker)
    assert not tell(maker, client_id="second") and not tell(maker, OTHER)
    assert (messages(maker), messages(maker, "second")) == (2, 1)


def test_the_message_may_be_for_another_client_than_the_key_is_of(maker):
    assert tell(maker, client_id="heir")
    assert maker.store.write(lambda tx: tx.notify_once(KEY, notice("heir"), client_id="gone"))
    assert maker.store.told_clients(KEY.about) == ["gone", "heir"]
    assert clear(maker, client_id="gone")
    assert maker.store.told_clients(KEY.about) == ["heir"]


def test_another_state_is_told_again_and_one_that_comes_back_too(maker):
    steps = (("50",), ("50",), ("60",), ("50",), ("50",))
    assert [tell(maker, state=state) for state in steps] == [True, False, True, True, False]
    assert clear(maker)


def test_facts_stand_apart_whatever_they_hold(maker):
    keys = [NoticeKey(KEY.about, facts) for facts in ((), ("a", "b"), ("a/b",), ("a%2Fb",), ("a", "b", ""))]
    assert [tell(maker, key) for key in keys] == [True] * 5
    assert set(maker.store.told_keys("default", KEY.about)) == set(keys)
