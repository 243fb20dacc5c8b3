"""The brokers over HTTP for which the shared tests run. A new one adds its line here."""

from tests.broker.dhan.at_dhan import DHAN
from tests.broker.zerodha.at_zerodha import ZERODHA

OVER_HTTP = (DHAN, ZERODHA)
