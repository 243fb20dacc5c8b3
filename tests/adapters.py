"""What a client's services have as its broker, below what decorates it."""

from typing import Any

from app.container import Services
from broker.steady_reads import BrokerWithSteadyReads
from broker.test_mode import BrokerWithTestMode


def adapter_of(services: Services, client_id: str = "default") -> Any:
    """The broker's adapter itself, with its private parts."""
    port = services.brokers[client_id].port
    assert isinstance(port, BrokerWithTestMode)
    assert isinstance(port.decorated, BrokerWithSteadyReads)
    return port.decorated.decorated
