"""Words of the field that stand in many templates and ask for nothing: of the bar, of indicators, of a backtest.

All of it is data. A key that is suspected to ask for something (`alerts/formats/keys.py`) is cleared by these alone.
"""

import re
from collections.abc import Mapping


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


WORDS = re.compile(
    r"(re|dis|un)cover(y|ed|s|ing|ies)?|coverage|closest|closeness|inflation\w*|flatline"
    r"|volatil(e|ity)|(e|in|re)volv(e|ed|ing)|pilot|slots?|ballot|fundamentals?|funding|percentile|imbalance|quantitative"
    r"|capitali[sz]ation|marginal|cashflow|investing|proportion(al)?|slow(k|d|ing|er|est)?|slope[sd]?|slight(ly)?|slump"
    r"|https?|outputs?|stopwatch|rvol|liquidations?"
)
"""Whole words that contain one that is suspected, and mean something else."""

BARS = _set("candle candles bar bars kline klines ohlc ohlcv heikin ha")

FIELDS_OF_BARS = _set("size volume")
"""Keys that in an object of these are the bar's, and elsewhere may be an order's."""

BEFORE_CLOSE = BARS | _set(
    "prev previous prior yesterday yesterdays last day daily week weekly month monthly session htf pre d intraday "
    "hourly adj adjusted raw"
)
"""What a `close` that is a price has directly before it."""

BESIDE_CLOSE = _set("on once per first of at after wait for")
"""What may stand before those."""

BEHIND_CLOSE = _set("price prices time date at timestamp ts utc ist unix change chg diff confirmed")
"""What alone may stand behind a `close` that is a price or a time."""

CLOSE_OF_A_TIME = _set("price prices time date at timestamp ts")
"""What makes a price or a time of a `close` with nothing before it."""

_AVERAGES = _set("ma sma ema wma vwma rma dema tema hma vwap")
_INDICATORS = _set("atr rsi adx macd bb bollinger cci mfi obv wick body band") | _AVERAGES
_CHANGES = _set(
    "change changes chg delta diff range gap growth slope spike surge oscillator osc rank zscore roc"
)

ABOUT: Mapping[str, frozenset[str]] = {
    "profit": _set("net gross total realized realised unrealized unrealised open session factor profitable"),
    "size": BARS | _set("tick ticks pip pips body wick brick font window sample"),
    "percent": _CHANGES | _INDICATORS | _set(
        "volatility confidence probability strength score fee commission slippage win winrate drawdown dd net gross "
        "realized realised unrealized unrealised"
    ),
    "volume": _AVERAGES | _CHANGES | BARS | _set(
        "avg average mean median relative rel normalized day daily hourly week weekly month monthly prev previous last "
        "current breakout ratio profile session trend high low"
    ),
    "vol": _AVERAGES | _CHANGES | _set("avg average relative rel implied historical realized hist"),
    "ratio": _set("sharpe sortino calmar win winning rr fib fibonacci golden put call volume vol hurst"),
    "usd": _set("price rate index"),
    "balance": _set("power"),
    "capital": _set("market"),
}  # fmt: skip
"""Words that may name a size or a profit to take, and the words beside which they describe something else."""

ALIASES: Mapping[str, str] = {"pct": "percent", "percentage": "percent", "sizes": "size", "volumes": "volume"}

BESIDE = _set(
    "strategy backtest pct percent percentage usd price avg average mean rate so far today day daily of the length "
    "period len lookback filter threshold up down min max last current and to"
)
"""Words that may stand beside those as well, and clear nothing alone."""

PARTS = _set("liquidation funding volatility recover recovery discovery bars duration index")
"""Other words that are told apart where words run together."""

HOLDERS = _set(
    "indicator indicators technicals ta stats statistics context extra extras meta info metrics values plots"
)
"""Keys of objects that say nothing about what stands in them."""

OF_STATES = _INDICATORS | BARS | _set("trend supertrend slope regime momentum structure volatility")
"""Words of a key in which `flat` is a state of the market."""

OF_STATES_TOO = _set("state filter daily weekly")
"""Words that may stand beside those: alone, such a state may be that of a position."""

OF_SOURCES = _set("source src input series applied price ma sma ema wma rsi indicator")
"""Words of a key in which `close` is the price that an indicator is reckoned from."""

NUMBER = re.compile(r"\d+(s|m|h|d|w|min|hr|hour|day)?|[smhdw]\d*|tf|htf|ltf|mtf")
"""A number or a time frame."""
