"""The Noren adapter keeps the contract of all brokers, over real HTTP to the simulated broker."""

from decimal import Decimal
from pathlib import Path

from broker.noren.adapter import NorenBroker
from broker.simulator.server import SimulatorServer
from broker.simulator.service import QUICK_AUTH_BASE, Simulator
from tests.broker.noren.making import make
from tests.contract.broker_contract import ContractClock
from tests.contract.simulated_broker import SimulatedBrokerContract


class TestNorenBroker(SimulatedBrokerContract):
    between_processes = True

    def start(self, clock: ContractClock, journal: Path) -> SimulatorServer:
        server = SimulatorServer(Simulator(clock, journal=journal))
        server.start()
        return server

    def connect(self, url: str, clock: ContractClock, place_: Path) -> NorenBroker:
        return make(f"{url}/{QUICK_AUTH_BASE}", clock, place_, rate=10_000, protection=Decimal(3))

    def words_of(self, code: str, text: str) -> str:
        return f"Rejected : {code}:{text}"
