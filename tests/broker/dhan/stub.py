"""A server on loopback that answers each call as Dhan's would be told to, and notes what came."""

from typing import Any

from tests.broker.dhan.making import CLIENT
from tests.broker.zerodha.stub import Answer, Stub, says


def fails(status: int, code: str, message: str, kind: str = "Order_Error") -> Answer:
    return says({"errorType": kind, "errorCode": code, "errorMessage": message}, status)


PLACED = says({"orderId": "112111182045", "orderStatus": "TRANSIT"})
INVALID_TOKEN = fails(400, "DH-906", "Invalid Token")
NO_HOLDINGS = fails(500, "DH-1111", "No holdings available", "HOLDING_ERROR")


class DhanStub(Stub):
    """Without other answers: the user's profile, no Holdings, no order of ours by its id."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.tell("GET profile", says({"dhanClientId": CLIENT, "tokenValidity": "21/11/2026 09:00"}))
        self.tell("GET holdings", NO_HOLDINGS)
