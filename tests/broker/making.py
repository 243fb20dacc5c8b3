"""Paper brokers and the commands they are given."""

import time
from decimal import Decimal
from zoneinfo import ZoneInfo

from broker.paper.adapter import PaperBroker, PaperMarket
from domain.enums import OrderType
from tests.contract.broker_contract import a_command

ZONE = ZoneInfo("Asia/Kolkata")
TICK = Decimal("0.05")


def make(path, clock, client_id="default", sleep=time.sleep, **settings):
    market = PaperMarket(ZONE, TICK, **settings)
    return PaperBroker(path, client_id, clock, market, sleep=sleep)


def limit(intent, price, **changes):
    return a_command(intent, order_type=OrderType.LIMIT, price=Decimal(str(price)), **changes)


def stop(intent, trigger, **changes):
    return a_command(intent, order_type=OrderType.STOP, trigger_price=Decimal(str(trigger)), **changes)
