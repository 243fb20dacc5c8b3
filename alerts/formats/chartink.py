"""Chartink's screener: stocks without a side or a quantity, which the strategy named like the scan has to give."""

from alerts.formats.layout import Commands, Layout
from alerts.formats.words import Role
from alerts.reading import Reading, plain
from domain.errors import InvalidAlert


def _split(reading: Reading) -> Commands | None:
    """One command for each stock, with its price at the signal."""
    fields = {plain(key): value for key, value in (reading.fields or {}).items()}
    stocks, prices = fields.get("stocks"), fields.get("triggerprices")
    if not isinstance(stocks, str):
        raise InvalidAlert("INVALID", "expected a text of symbols between commas", "stocks")
    named = [each.strip() for each in stocks.split(",") if each.strip()]
    at = [each.strip() for each in prices.split(",")] if isinstance(prices, str) else []
    if at and len(at) != len(named):
        raise InvalidAlert("CONTRADICTION", f"expected {len(named)} prices, got {len(at)}", "trigger_prices")
    commands = []
    for index, each in enumerate(named):
        symbol, _, price = each.partition("@")
        commands.append({"symbol": symbol, "signalprice": price or (at[index] if at else "")})
    rest = {
        key: value
        for key, value in (reading.fields or {}).items()
        if plain(key) not in ("stocks", "triggerprices")
    }
    return Commands(commands, rest)


CHARTINK = Layout(
    name="chartink",
    needs=("stocks",),
    marks=("scanname", "alertname", "webhookid", "scanurl"),
    split=_split,
    secret=("secret", "webhook_id"),
    fields={Role.SYMBOL: ("symbol",), Role.REFERENCE: ("signalprice",), Role.STRATEGY: ("scanname",)},
    side_by_strategy=True,
)
