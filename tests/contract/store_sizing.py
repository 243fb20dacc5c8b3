"""What every store promises of what entries are sized by, and of where the exit of a template finds what it closes."""

import json
from datetime import timedelta
from decimal import Decimal
from functools import partial

from domain.account import BrokerAccount
from domain.enums import ExecutionType, Side, TestMode
from domain.sizing import Equity
from domain.states import Phase
from tests.contract.store_making import CLIENT, EXCHANGE, STRATEGY, SYMBOL, House, StoreCase

ASKED = "NFO NIFTY BUY"
STORY = json.dumps({"instrument": {"asked": ASKED}})


class SizingContract(StoreCase):
    def test_the_last_equity_of_each_client_is_kept_to_the_digit(self, house: House):
        at = house.clock.now()
        first, later = (
            Equity(Decimal("99725.05"), at, "a"),
            Equity(Decimal("-0.10"), at + timedelta(seconds=60), "b"),
        )
        assert house.store.equity(CLIENT) is None
        house.store.write(lambda tx: tx.keep_equity(CLIENT, first))
        assert house.store.equity(CLIENT) == first
        house.store.write(lambda tx: tx.keep_equity(CLIENT, later))
        assert house.store.equity(CLIENT) == later
        assert house.store.write(lambda tx: tx.equity(CLIENT)) == later
        assert house.store.equity("bob") is None

    def test_the_equity_of_another_account_is_forgotten(self, house: House):
        house.store.write(lambda tx: tx.keep_equity(CLIENT, Equity(Decimal(5), house.clock.now(), "a")))
        house.store.write(lambda tx: tx.rebind_account(CLIENT, BrokerAccount("broker", "U2")))
        assert house.store.equity(CLIENT) is None

    def test_entries_under_way_are_found_by_what_they_were_asked_for_as(self, house: House):
        def found(
            client: str = CLIENT, strategy: str = STRATEGY, asked: str = ASKED
        ) -> list[tuple[str, str]]:
            return house.store.write(lambda tx: tx.open_as_asked(client, strategy, asked))

        created = house.register("a1", context_json=STORY)
        house.register("a2", symbol="OTHER", context_json=json.dumps({"size": {"asked": ASKED}}))
        house.register("a3", symbol="TRIED", context_json=STORY, test_mode=TestMode.SUCCESS)
        house.register("a4", symbol="LEFT", context_json=STORY, execution_type=ExecutionType.EXIT)
        assert found() == [(EXCHANGE, SYMBOL)]
        by_side = [
            house.store.write(partial(lambda side, tx: tx.open_as_asked(CLIENT, STRATEGY, ASKED, side), each))
            for each in Side
        ]
        assert by_side == [[(EXCHANGE, SYMBOL)], []]
        assert found(client="bob") == found(strategy="ELSE") == found(asked="NFO NIFTY SELL") == []
        claimed = house.claim(created)
        assert found() == [(EXCHANGE, SYMBOL)]
        house.fill(house.move(claimed, Phase.WORKING, broker_order_id="B-1"))
        assert found() == []
