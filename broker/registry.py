"""The brokers that BROKER can name. The first one is its default."""

from broker.alpaca.description import ALPACA
from broker.description import registered
from broker.dhan.description import DHAN
from broker.noren.description import NOREN
from broker.paper.description import PAPER
from broker.zerodha.description import ZERODHA

BROKERS = registered(
    PAPER,
    *NOREN,
    ZERODHA,
    DHAN,
    ALPACA,
)
