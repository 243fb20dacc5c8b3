"""The contract of all brokers at one that the simulator plays, over real HTTP."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from broker.simulator.faults import FaultPlan
from broker.simulator.server import SimulatorServer
from domain.ports import Broker
from tests.contract.broker_contract import EXCHANGE, SYMBOL, BrokerContract, ContractClock


def put_faults(server: SimulatorServer, *faults) -> None:
    """Let the simulated broker do these from now on."""
    server.simulator.faults.put(FaultPlan.model_validate({"faults": faults}))


class SimulatedBrokerContract(BrokerContract):
    """Subclass, name it Test…, and say how the simulator is started and how the adapter connects to it."""

    def start(self, clock: ContractClock, journal: Path) -> SimulatorServer:
        """The simulated broker, started."""
        raise NotImplementedError

    def connect(self, url: str, clock: ContractClock, place_: Path) -> Broker:
        """The adapter at the simulated broker's URL."""
        raise NotImplementedError

    def words_of(self, code: str, text: str) -> str:
        """How the broker words a refusal."""
        return f"{code}:{text}"

    @pytest.fixture(autouse=True)
    def _servers(self) -> Iterator[None]:
        self.servers: list[SimulatorServer] = []
        yield
        for server in self.servers:
            server.stop()

    def make_broker(self, clock: ContractClock, place_: Path) -> Broker:
        address = place_ / "address"
        if not address.exists():  # else the server is there already, in the test's own process
            server = self.start(clock, place_ / "journal.jsonl")
            self.servers.append(server)
            address.write_text(server.url)
        return self.connect(address.read_text(), clock, place_)

    def set_price(self, broker: Broker, price: Decimal) -> None:
        self._control("_mark", exch=EXCHANGE, tsym=SYMBOL, price=str(price))

    def refuse_next(self, broker: Broker, code: str, text: str) -> None:
        words = self.words_of(code, text)
        refusal = {"kind": "refuse", "endpoint": "PlaceOrder", "times": 1, "emsg": words}
        self._control("_faults", faults=[refusal])

    def cut_off(self, broker: Broker, place_: Path) -> None:
        self.servers[-1].stop()

    def _control(self, name: str, **body: object) -> None:
        requests.post(f"{self.servers[-1].url}/{name}", json=body, timeout=5).raise_for_status()
