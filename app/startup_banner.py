"""The text that is printed at the start: addresses, which clients trade live, and a first alert that costs no money."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_YOURS = "<your WEBHOOK_SECRET>"


@dataclass(frozen=True, slots=True)
class Trading:
    """One client and what happens to its orders; `live` has no meaning for a simulated broker."""

    client_id: str
    broker: str
    is_real: bool
    live: bool

    def __str__(self) -> str:
        if not self.is_real:
            return f"{self.client_id} at {self.broker}: orders are simulated"
        means = "orders are LIVE" if self.live else "live trading is off, no order is sent"
        return f"{self.client_id} at {self.broker}: {means}"


@dataclass(frozen=True, slots=True)
class StartupBanner:
    """The text of a start. `secret` and `token` are None where an operator set them: those must not be printed."""

    base: str
    secret: str | None
    token: str | None
    clients: Sequence[Trading]

    def __str__(self) -> str:
        trading = "\n".join(f"  client         {client}" for client in self.clients)
        return f"""
Orderwatch is starting.
  webhook        {self.base}/webhook
  secret         {self.secret or "(as you set it)"}
  order book     {self.base}/
  console token  {self.token or "(as you set it)"}
{trading}

A first alert, to paste into another terminal{self._harmless}:
  curl -sS {self.base}/webhook -d '{json.dumps(self._alert())}'
"""

    @property
    def _has_real(self) -> bool:
        return any(client.is_real for client in self.clients)

    @property
    def _harmless(self) -> str:
        return " (in test mode: no broker is sent anything)" if self._has_real else ""

    def _alert(self) -> dict[str, Any]:
        leg = {
            "tradingsymbol": "NIFTY26NOV24500CE",
            "direction": "BUY",
            "qty": 50,
            "product_type": "MIS",
            "order_type": "LIMIT",
            "price": 112.5,
        }
        return {
            "secret_key": self.secret or _YOURS,
            "execution_type": "ENTRY",
            "strategy_name": "FIRST_STEPS",
            "exchange": "NFO",
            # A user who pastes this line must not buy anything with it.
            **({"test_mode": "SUCCESS"} if self._has_real else {}),
            "legs": [leg],
        }
