"""How calls to Dhan end, where they end as at no other broker."""

import pytest

from domain.errors import ReadFailed, Refused
from tests.broker.dhan.at_dhan import PLACED, TOO_MANY, fails
from tests.contract.broker_contract import a_command


def test_an_exceeded_rate_of_reads_stops_no_entry(broker, stub):
    stub.tell("GET orders", TOO_MANY)
    with pytest.raises(ReadFailed):
        broker.read_book([])
    stub.tell("POST orders", PLACED)
    assert broker.place(a_command()).broker_order_id


def test_a_token_in_a_text_of_something_else_is_no_refusal_of_the_token(broker, stub):
    stub.tell("POST orders", fails(400, "DH-906", "Invalid Token number of the instrument"))
    with pytest.raises(Refused):
        broker.place(a_command())
