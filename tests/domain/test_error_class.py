"""Which class a broker's error belongs to."""

import pytest

from domain.error_class import reason_class


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("401", "AUTHENTICATION_ERROR"),
        ("40101", "AUTHENTICATION_ERROR"),
        ("40103", "AUTHENTICATION_ERROR"),
        ("306", "INSUFFICIENT_FUNDS"),
        ("609", "INSUFFICIENT_FUNDS"),
        ("429", "RATE_LIMIT"),
        ("4290", "EXCHANGE_REJECTED"),
        ("40", "EXCHANGE_REJECTED"),
        ("RMS7", "EXCHANGE_REJECTED"),
        ("", "EXCHANGE_ERROR_UNKNOWN"),
    ],
)
def test_codes(code, name):
    assert reason_class(code, "") == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Session Expired : Invalid Session Key", "AUTHENTICATION_ERROR"),
        ("401 Unauthorized", "AUTHENTICATION_ERROR"),
        ("Signature for this request is not valid.", "SIGNATURE_ERROR"),
        ("RED:Insufficient funds", "INSUFFICIENT_FUNDS"),
        ("Available balance is too low", "INSUFFICIENT_FUNDS"),
        ("margin limit exceeded", "INSUFFICIENT_FUNDS"),
        ("RMS:Margin Exceeds,Cash Available:0", "INSUFFICIENT_FUNDS"),
        ("rate limit exceeded", "RATE_LIMIT"),
        ("Order rate limit of 10 per second reached", "RATE_LIMIT"),
        ("Too many requests", "RATE_LIMIT"),
        ("limit order rejected", "EXCHANGE_REJECTED"),
        ("LIMIT price out of circuit limits", "EXCHANGE_REJECTED"),
        ("position limit breached", "EXCHANGE_REJECTED"),
        ("Request timed out", "TIMEOUT"),
        ("gateway timeout", "TIMEOUT"),
        ("Filter failure: MIN_NOTIONAL", "MIN_NOTIONAL_NOT_MET"),
        ("order's minimum notional is 5", "MIN_NOTIONAL_NOT_MET"),
        ("16388: the contract is blocked", "EXCHANGE_REJECTED"),
    ],
)
def test_texts(text, name):
    assert reason_class("", text) == name
    assert reason_class("", text.upper()) == name


@pytest.mark.parametrize(
    "text",
    [
        "Separate limit orders are not allowed",  # "rate limit"
        "Halted: order imbalance",  # "balance"
        "Price marginally outside the band",  # "margin"
    ],
)
def test_a_word_inside_another_word_is_not_that_word(text):
    assert reason_class("", text) == "EXCHANGE_REJECTED"


def test_a_brokers_code_says_more_than_a_word_of_its_text():
    assert reason_class("429", "Too many margin requests") == "RATE_LIMIT"
