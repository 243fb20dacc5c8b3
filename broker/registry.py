"""The brokers that BROKER can name. The first one is its default."""

from broker.description import registered
from broker.noren.description import NOREN
from broker.paper.description import PAPER

BROKERS = registered(
    PAPER,
    *NOREN,
)
