"""What the start prints: where the service is, whose orders cost money, and a first alert that costs none by itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_YOURS = "<your WEBHOOK_SECRET>"


@dataclass(frozen=True, slots=True)
class Trading:
    """One client and what becomes of its orders; `live` says nothing of a simulated broker."""

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
    """The words of a start. `secret` and `token` are None where an operator set them: those are not ours to print."""

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
            # Whoever pastes a line of ours must not have bought anything by it.
            **({"test_mode": "SUCCESS"} if self._has_real else {}),
            "legs": [leg],
        }
