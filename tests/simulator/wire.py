"""A small client of the wire, that shows answers as they came; and a simulator to talk to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import requests

from broker.simulator.faults import FaultPlan
from broker.simulator.server import SimulatorServer
from broker.simulator.service import Simulator
from domain.ports import Clock
from tests.support import ManualClock

USER = "FA12345"
EXCH, TSYM = "NFO", "NIFTY26NOV24500CE"
DIGEST = "0" * 64


@contextmanager
def serving(
    journal: Path | None = None, clock: Clock | None = None, **options: Any
) -> Iterator[SimulatorServer]:
    """A simulator that takes market orders too, unless it is told otherwise: most tests want orders that fill."""
    options = {"market_orders": True, **options}
    server = SimulatorServer(Simulator(clock or ManualClock(), journal=journal, **options))
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Wire:
    """One user's session. `call` gives the answer's JSON, `post` the answer itself."""

    def __init__(self, url: str, user: str = USER) -> None:
        self.url, self.user, self.key = url, user, ""
        self.http = requests.Session()

    def post(
        self,
        endpoint: str,
        timeout: float = 5.0,
        era: str = "NorenWClientTP",
        headers: dict[str, str] | None = None,
        **data: Any,
    ) -> requests.Response:
        body = f"jData={quote_plus(json.dumps({'uid': self.user, **data}))}"
        if era == "NorenWClientTP" and self.key:
            body += f"&jKey={self.key}"
        return self.http.post(f"{self.url}/{era}/{endpoint}", data=body, headers=headers, timeout=timeout)

    def call(self, endpoint: str, **data: Any) -> Any:
        return self.post(endpoint, **data).json()

    def login(self) -> "Wire":
        answer = self.call(
            "QuickAuth",
            source="API",
            apkversion="1.0.0",
            pwd=DIGEST,
            factor2="123456",
            vc="V",
            appkey=DIGEST,
            imei="i",
        )
        self.key = answer["susertoken"]
        return self

    def place(self, remarks: str = "tag-1", **changes: Any) -> requests.Response:
        return self.post("PlaceOrder", **an_order(remarks, **changes))

    def placed(self, remarks: str = "tag-1", **changes: Any) -> str:
        """The number of an order that must be taken."""
        answer = self.place(remarks, **changes).json()
        assert answer["stat"] == "Ok", answer
        return str(answer["norenordno"])

    def book(self, endpoint: str = "OrderBook", **data: Any) -> list[dict[str, str]]:
        """The rows of a book; none where the wire says that there are none."""
        answer = self.call(endpoint, **data)
        if isinstance(answer, dict):
            assert answer == {**answer, "stat": "Not_Ok", "emsg": 'Error Occurred : 5 "no data"'}
            return []
        return list(answer)

    def row(self, norenordno: str) -> dict[str, str]:
        (row,) = [row for row in self.book() if row["norenordno"] == norenordno]
        return row

    def mark(self, price: str, quantity: str | None = None, tsym: str = TSYM, **more: str) -> None:
        self.control("_mark", exch=EXCH, tsym=tsym, price=price, quantity=quantity, **more)

    def faults(self, *faults: dict[str, Any], **plan: Any) -> None:
        self.control("_faults", faults=faults, **plan)

    def control(self, name: str, **body: Any) -> Any:
        answer = requests.post(f"{self.url}/{name}", json=body, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def state(self) -> Any:
        return requests.get(f"{self.url}/_state", timeout=5).json()


def an_order(remarks: str | None = "tag-1", **changes: Any) -> dict[str, Any]:
    """A market order to buy 50."""
    order = {
        "actid": USER,
        "exch": EXCH,
        "tsym": TSYM,
        "qty": "50",
        "prc": "0",
        "trgprc": "0",
        "dscqty": "0",
        "prd": "I",
        "trantype": "B",
        "prctyp": "MKT",
        "ret": "DAY",
        "ordersource": "API",
        "remarks": remarks,
    }
    return {**order, **changes}


def resting(**changes: Any) -> dict[str, Any]:
    """What makes the order rest while the price is 100 or more."""
    return {"prctyp": "LMT", "prc": "90", **changes}


def a_plan(*faults: dict[str, Any]) -> FaultPlan:
    return FaultPlan.model_validate({"faults": faults})
