"""How calls to Zerodha end, where they end as at no other broker."""

import pytest

from domain.broker_reports import OrderRef
from domain.errors import NotSent
from tests.broker.zerodha.at_zerodha import fails


def test_a_cancel_of_an_order_in_work_comes_again(at, broker, stub):
    stub.tell(
        at.cancel,
        fails(400, "OrderException", "Order cannot be cancelled as it is being processed. Try later."),
    )
    with pytest.raises(NotSent) as caught:
        broker.cancel(OrderRef("", at.number))
    assert caught.value.code == "ORDER_BUSY"
