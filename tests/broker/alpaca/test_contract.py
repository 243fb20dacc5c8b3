"""The Alpaca adapter keeps the contract of all brokers, over real HTTP to the simulated broker."""

from decimal import Decimal
from pathlib import Path

from broker.alpaca.adapter import AlpacaBroker
from broker.simulator import alpaca
from broker.simulator.server import SimulatorServer
from domain.ports import Broker
from tests.broker.alpaca.making import a_server, make
from tests.contract.broker_contract import SYMBOL, ContractClock
from tests.contract.simulated_broker import SimulatedBrokerContract


class TestAlpacaBroker(SimulatedBrokerContract):
    between_processes = True

    def start(self, clock: ContractClock, journal: Path) -> SimulatorServer:
        return a_server(clock, journal)

    def connect(self, url: str, clock: ContractClock, place_: Path) -> AlpacaBroker:
        return make(url, clock, place_)

    def set_price(self, broker: Broker, price: Decimal) -> None:
        self._control("_mark", exch=alpaca.EXCHANGE, tsym=SYMBOL, price=str(price))
