"""The paper broker keeps the contract of all brokers."""

import shutil
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from broker.paper.adapter import PaperBroker, PaperMarket
from domain.ports import Broker
from tests.contract.broker_contract import EXCHANGE, SYMBOL, BrokerContract, ContractClock


class TestPaperBroker(BrokerContract):
    between_processes = True

    def make_broker(self, clock: ContractClock, place_: Path) -> PaperBroker:
        path = place_ / "data" / "paper.db"
        return PaperBroker(path, "default", clock, PaperMarket(ZoneInfo("Asia/Kolkata"), Decimal("0.05")))

    def set_price(self, broker: Broker, price: Decimal) -> None:
        assert isinstance(broker, PaperBroker)
        broker.set_mark(EXCHANGE, SYMBOL, price)

    def refuse_next(self, broker: Broker, code: str, text: str) -> None:
        assert isinstance(broker, PaperBroker)
        broker.reject_next(SYMBOL, code, text)

    def cut_off(self, broker: Broker, place_: Path) -> None:
        shutil.rmtree(place_ / "data")
