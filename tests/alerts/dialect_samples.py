"""Bodies of each registered dialect, for what every dialect promises. Who adds a dialect adds its samples here."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal

from domain.alert_defaults import AlertDefaults, AlertDefaultsBook
from domain.enums import Side
from tests.alerts.fakes import a_document, with_leg

Samples = Callable[[str], list[bytes]]
"""Returns bodies that can be traded on and carry this secret, which is letters, digits and hyphens."""

DEFAULTS = AlertDefaultsBook(
    AlertDefaults(exchange="NSE", product="MIS", quantity=Decimal(3), side=Side.BUY), {}, "Bar Close"
)
"""What the samples need beside what they say."""


def _native(secret: str) -> list[bytes]:
    documents = [
        a_document(),
        a_document(signal_id=None, client_id="", comment="closes at {}"),
        with_leg("EXIT", direction=..., qty=..., order_type=..., price=...),
        with_leg(order_type="SL-LMT", trigger_price="111.5"),
        with_leg(note="from the morning's scan", comment=7),
    ]
    upper = {key.upper(): value for key, value in a_document(secret_key=secret).items()}
    return [
        *(json.dumps(each | {"secret_key": secret}).encode() for each in documents),
        b"\xef\xbb\xbf" + json.dumps(upper, indent=1).encode(),
    ]


def _json(*documents: object) -> Samples:
    """JSON in which `$` stands for the secret."""
    return lambda secret: [json.dumps(each).replace('"$"', f'"{secret}"').encode() for each in documents]


def _text(*texts: str) -> Samples:
    return lambda secret: [each.replace("$", secret).encode() for each in texts]


_LARRY = {
    "passphrase": "$",
    "exchange": "BINANCE",
    "ticker": "DOGEUSDT",
    "bar": {"close": 0.0027486, "volume": 150177},
    "strategy": {
        "position_size": 10000,
        "order_action": "buy",
        "order_contracts": 10000,
        "order_price": 0.0027451,
        "market_position": "long",
        "market_position_size": 10000,
        "prev_market_position": "flat",
        "prev_market_position_size": 0,
    },
}

SAMPLES: Mapping[str, Samples] = {
    "native": _native,
    "dhan": _json(
        {
            "secret": "$",
            "alertType": "multi_leg_order",
            "order_legs": [
                {
                    "transactionType": "B",
                    "orderType": "MKT",
                    "quantity": "5",
                    "exchange": "NSE",
                    "symbol": "INFY",
                    "instrument": "EQ",
                    "productType": "I",
                }
            ],
        }
    ),
    "openalgo": _json(
        {
            "apikey": "$",
            "strategy": "S",
            "symbol": "SBIN",
            "exchange": "NSE",
            "action": "buy",
            "quantity": "100",
        },
        {"apikey": "$", "orders": [{"symbol": "BHEL", "action": "SELL", "quantity": "1", "product": "CNC"}]},
        {"apikey": "$", "symbol": "SBIN", "action": "sell", "quantity": "0", "position_size": "0"},
    ),
    "chartink": _json(
        {"secret": "$", "stocks": "SBIN,INFY", "trigger_prices": "812.5,1500", "scan_name": "Breakouts"},
        {"secret": "$", "stocks": "SBIN@3.75", "alert_name": "Alert for Breakouts", "scan_name": "Breakouts"},
    ),
    "3commas": _json(
        {
            "secret": "$",
            "trigger_price": "67432.5",
            "tv_exchange": "BINANCE",
            "tv_instrument": "BTCUSDT",
            "action": "enter_long",
            "order": {"amount": "0.1", "currency_type": "base"},
        },
        {"secret": "$", "tv_exchange": "BINANCE", "tv_instrument": "BTCUSDT", "action": "exit_long"},
    ),
    "angel": _json(
        {
            "secret": "$",
            "variety": "NORMAL",
            "tradingsymbol": "SBIN-EQ",
            "symboltoken": "3045",
            "transactiontype": "BUY",
            "exchange": "NSE",
            "ordertype": "LIMIT",
            "producttype": "INTRADAY",
            "duration": "DAY",
            "price": "194.50",
            "squareoff": "0",
            "stoploss": "0",
            "quantity": "1",
        }
    ),
    "kite": _json(
        {
            "secret": "$",
            "tradingsymbol": "INFY",
            "exchange": "NSE",
            "transaction_type": "SELL",
            "quantity": 4,
            "order_type": "SL",
            "price": 99.5,
            "trigger_price": 100,
        },
        {"secret": "$", "spread_legs": [{"symbol": "A", "transaction_type": "BUY", "quantity": 75}]},
    ),
    "kite-orders": _json(
        {
            "secret": "$",
            "orders": [{"symbol": "A", "transaction_type": "BUY", "quantity": 75, "order_type": "MARKET"}],
        }
    ),
    "traderspost": _json(
        {
            "secret": "$",
            "ticker": "AMD",
            "action": "buy",
            "sentiment": "bullish",
            "signalPrice": 143.12,
            "quantity": 1,
        },
        {"secret": "$", "ticker": "AMD", "action": "sell", "sentiment": "flat", "price": "9"},
    ),
    "parttimelarry": _json(_LARRY),
    "hypertrade": _json(
        {
            "general": {"strategy": "My Strategy", "ticker": "SOLUSD", "secret": "$"},
            "currency": {"base": "SOL", "quote": "USD"},
            "order": {"action": "sell", "contracts": "10.5", "price": "183.81", "id": "x"},
            "market": {
                "position": "long",
                "position_size": "10.5",
                "previous_position": "long",
                "previous_position_size": "21",
            },
        }
    ),
    "cryptognome": _json(
        {
            "key": "$",
            "exchange": "bybit",
            "symbol": "ETHUSD",
            "type": "Market",
            "side": "Buy",
            "qty": "1",
            "price": "1120",
            "close_position": "False",
            "order_mode": "Both",
        }
    ),
    "algo-bread": _json({"breadkey": "$", "symbol": "MNQZ2026", "stance": "flat", "qty": 0}),
    "dydx-connector": _json(
        {
            "secret": "$",
            "exchange": "dydx",
            "strategy": "T",
            "market": "BTC-USD",
            "size": 0.1,
            "order": "buy",
            "reverse": False,
        }
    ),
    "bitget-trader": _json(
        {
            "token": "$",
            "action": "close_long",
            "symbol": "BTCUSDT",
            "side": "close",
            "order_type": "market",
            "size": "0.01",
            "leverage": 10,
        }
    ),
    "blofin": _json(
        {
            "signalToken": "$",
            "symbol": "BTCUSDT",
            "side": "buy",
            "signal": "open_long",
            "orderType": "market",
            "size": "0.01",
            "marginMode": "cross",
        }
    ),
    "alerts-processor": _json(
        {"secret": "$", "stub": "dev", "direction": "long", "symbol": "ETHPERP", "size": "50"}
    ),
    "octobot": _text(
        "EXCHANGE=BINANCE\nSYMBOL=BTCUSDT\nSIGNAL=BUY\nTOKEN=$",
        "SYMBOL=SOLUSDC;SIGNAL=SELL;VOLUME=3;REDUCE_ONLY=true;TOKEN=$",
        "SYMBOL=ETHBTC;SIGNAL=SELL;VOLUME=3;ORDER_TYPE=LIMIT;PRICE=0.07;TOKEN=$;",
    ),
    "crosstrade": _text(
        "key=$;command=PLACE;account=A;instrument=RTYH2026;action=buy;qty=1;order_type=MARKET;tif=DAY;",
        "key=$; command=CLOSEPOSITION; account=A; instrument=RTYH2026;",
    ),
    "frostybot": _text("trade:stub:close symbol=BTC-PERP x=1"),
    "autoview": _text("e=DERIBIT a=$ s=BTC-PERPETUAL b=long q=5 t=market", "a=$ e=DERIBIT s=X c=position"),
    "algotest": _text("INFY buy 10", "NSE:INFY  sell 2"),
    "pineconnector": _text("$,closelong,GBPUSD", " $ , closeshort , GBPUSD,comment=x"),
    "wundertrading": _text("ENTER-LONG_KUCOIN_BTC-USDT_BOTNAME1_1H_744bde7b7594b117"),
    "alertatron": _text(
        "binanceKeys(USDT_BTC) {\nmarket(side=buy, amount=2);\n}",
        "A(BTCUSDT){type=market,side=sell,amount=1}",
    ),
    "tradingview-text": _text(
        "MACD (close, 12): order buy @ 100 filled on EURUSD. New strategy position is 100",
        "x: order sell @ 100 filled on EURUSD. New strategy position is 0",
        "x: order buy @ 100242 for 12.264199 filled on BTCUSD at 2025-11-07T12:00:00Z. "
        "New strategy position is 12.264199",
    ),
    "tradingview": _json(
        {
            "secret": "$",
            "ticker": "BTCUSDT",
            "action": "sell",
            "contracts": 0.1,
            "market_position": "flat",
            "prev_market_position": "long",
        },
        {"secret": "$", "symbol": "A", "strategy": {"order_action": "buy", "order_contracts": 2}},
    ),
    "usual-fields": lambda secret: [
        *_json(
            {"token": "$", "symbol": "TSLA", "action": "buy", "price": 420.69, "strategy": "long"},
            {"PIN": "$", "EXCHANGE": "bybit", "SYMBOL": "BTC/USDT:USDT", "SIDE": "buy", "QUANTITY": "0.01"},
        )(secret),
        *_text(
            "secret=$&symbol=INFY&side=sell&quantity=4",
            "secret: $\nsymbol: INFY\nside: buy\nquantity: 4",
            "secret=$ symbol=INFY side=buy quantity=4",
        )(secret),
    ],
}
"""Of every dialect, but of those that read only what is not built."""

NO_ORDER = frozenset(("finandy", "stoxxo", "info-only"))
"""Dialects whose alerts cannot be orders, or not yet."""

OF_NO_DIALECT = [
    b"{}",
    b'{"a": {"legs": []}}',
    b"order buy something",
    b"123456,hold,EURUSD,risk=1",
    b"key=abc&when=now",
    b"[1, 2]",
    b'"buy"',
    b"\xff\xfe",
    b"",
]
