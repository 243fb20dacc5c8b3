"""Bodies of each registered dialect, for what every dialect promises. Who adds a dialect adds its samples here."""

import json
from collections.abc import Callable, Mapping

from tests.alerts.fakes import a_document, with_leg

Samples = Callable[[str], list[bytes]]
"""Returns bodies that can be traded on and carry this secret, which is letters, digits and hyphens."""


def _native(secret: str) -> list[bytes]:
    documents = [
        a_document(),
        a_document(signal_id=None, client_id="", comment="closes at {}"),
        with_leg("EXIT", direction=..., qty=..., order_type=..., price=...),
        with_leg(order_type="SL-LMT", trigger_price="111.5"),
    ]
    upper = {key.upper(): value for key, value in a_document(secret_key=secret).items()}
    return [
        *(json.dumps(each | {"secret_key": secret}).encode() for each in documents),
        b"\xef\xbb\xbf" + json.dumps(upper, indent=1).encode(),
    ]


SAMPLES: Mapping[str, Samples] = {"native": _native}

OF_NO_DIALECT = [
    b"{}",
    b'{"ticker": "AMD", "action": "buy", "signalPrice": 143.12, "quantity": 1}',
    b'{"a": {"legs": []}}',
    b"order buy @ 100 filled on EURUSD. New strategy position is 100",
    b"123456,buy,EURUSD,risk=1",
    b"key=abc&action=buy",
    b"[1, 2]",
    b'"buy"',
    b"\xff\xfe",
    b"",
]
