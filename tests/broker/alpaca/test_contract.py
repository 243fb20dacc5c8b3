"""The Alpaca adapter keeps the contract of all brokers, over real HTTP to the simulated broker."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from broker.alpaca.adapter import AlpacaBroker
from broker.simulator import alpaca
from broker.simulator.server import SimulatorServer
from domain.ports import Broker
from tests.broker.alpaca.making import a_server, make
from tests.contract.broker_contract import SYMBOL, BrokerContract, ContractClock


class TestAlpacaBroker(BrokerContract):
    between_processes = True

    @pytest.fixture(autouse=True)
    def _servers(self) -> Iterator[None]:
        self.servers: list[SimulatorServer] = []
        yield
        for server in self.servers:
            server.stop()

    def make_broker(self, clock: ContractClock, place_: Path) -> AlpacaBroker:
        address = place_ / "address"
        if not address.exists():  # else the server is there already, in the test's own process
            server = a_server(clock, place_ / "journal.jsonl")
            self.servers.append(server)
            address.write_text(server.url)
        return make(address.read_text(), clock, place_)

    def set_price(self, broker: Broker, price: Decimal) -> None:
        self._control("_mark", exch=alpaca.EXCHANGE, tsym=SYMBOL, price=str(price))

    def refuse_next(self, broker: Broker, code: str, text: str) -> None:
        refusal = {"kind": "refuse", "endpoint": "PlaceOrder", "times": 1, "emsg": f"{code}:{text}"}
        self._control("_faults", faults=[refusal])

    def cut_off(self, broker: Broker, place_: Path) -> None:
        self.servers[-1].stop()

    def _control(self, name: str, **body: object) -> None:
        requests.post(f"{self.servers[-1].url}/{name}", json=body, timeout=5).raise_for_status()
