"""Who a request comes from where a proxy has forwarded it: never the proxy, whatever a sender has written."""

import pytest

from app.proxies import UNKNOWN, Proxies

PROXY = "127.0.0.1"
HEADERS = {
    "203.0.113.9": "203.0.113.9",
    "9.9.9.9, 203.0.113.9": "203.0.113.9",
    "[2001:db8::7]:443": "[2001:db8::7]:443",
    '", 203.0.113.9': UNKNOWN,  # a quotation that never ends: the header cannot be read
    "": UNKNOWN,
    "unknown": UNKNOWN,
    "203.0.113.9, its own words": UNKNOWN,
}


@pytest.mark.parametrize("header", HEADERS)
def test_what_a_sender_writes_never_makes_it_the_proxy(header):
    assert Proxies(1).sender_of(PROXY, header, None) == (HEADERS[header], None)
    seen = []
    app = Proxies(1).wrapped(lambda environ, start: seen.append(environ["REMOTE_ADDR"]) or [])
    app({"REMOTE_ADDR": PROXY, "HTTP_X_FORWARDED_FOR": header}, lambda *_: None)
    assert seen == [HEADERS[header]]


def test_a_request_that_no_proxy_forwarded_is_that_of_its_connection():
    assert Proxies(1).sender_of(PROXY, None, None) == (PROXY, None)
    assert Proxies(2).sender_of(PROXY, "203.0.113.9", None) == (UNKNOWN, None), "one address for two proxies"
    assert Proxies(0).sender_of(PROXY, "203.0.113.9", None) == (PROXY, None)
