"""LIVE_TRADING=false stops exits too: where something is held at a real broker, that is asked for twice and told."""

import logging
import sqlite3
from contextlib import closing

import pytest

from app.container import build_services
from app.settings import load_settings
from app.starting import notify_exits_off, refuse_exits_off
from console import TradingMode
from domain.states import Phase
from domain.times import time_text
from tests.app.test_starting import OWN, SHOONYA
from tests.console.seeding import House
from tests.persistence.making import START, Maker


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def services(*, held: bool, **environ: str):
        path = tmp_path / "orders.db"
        if held:
            Maker(path).order("A1", Phase.FILLED)
        given = {**SHOONYA, **OWN, "ORDERS_DB": str(path), **environ}
        return build_services(load_settings(given, dotenv_path=None))

    return services


def test_the_start_is_refused_while_something_is_held(make, capsys):
    with pytest.raises(SystemExit) as end:
        refuse_exits_off(make(held=True, LIVE_TRADING="false"))
    said = capsys.readouterr().err
    assert end.value.code == 2
    for words in (
        "STRADDLE 50 NFO:NIFTY26NOV24500CE",
        "LIVE_TRADING=true",
        "LIVE_TRADING_OFF_WITH_POSITIONS=true",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("held", "environ"),
    [
        (False, {"LIVE_TRADING": "false"}),
        (True, {"LIVE_TRADING": "true"}),
        (True, {"LIVE_TRADING": "false", "LIVE_TRADING_OFF_WITH_POSITIONS": "true"}),
        (True, {"BROKER": "paper"}),
    ],
)
def test_otherwise_it_is_not(make, held, environ):
    refuse_exits_off(make(held=held, **environ))


def test_what_was_confirmed_is_an_alarm_all_the_same(make, caplog):
    services = make(held=True, LIVE_TRADING="false", LIVE_TRADING_OFF_WITH_POSITIONS="true")
    with caplog.at_level(logging.CRITICAL):
        notify_exits_off(services)
    assert "exits are not sent" in caplog.text
    with closing(sqlite3.connect(services.settings.orders_db)) as connection:
        query = "SELECT message FROM telegram_messages WHERE kind = 'SYSTEM'"
        [(message,)] = connection.execute(query).fetchall()
    assert "exits are not sent" in message


@pytest.mark.parametrize(("mode", "shown"), [(TradingMode.DRY, True), (TradingMode.LIVE, False)])
@pytest.mark.parametrize("page", ["/", "/health", "/review"])
def test_every_page_says_that_exits_are_off(tmp_path, page, mode, shown):
    house = House(tmp_path, modes={"default": mode})
    house.store.write(
        lambda tx: tx._connection.execute(
            "INSERT INTO holdings VALUES ('default', 'INFY', 'NSE', 'S1', 'MIS', '50', 1, ?)",
            (time_text(START),),
        )
    )
    assert ("exits are OFF: default has S1 50 NSE:INFY" in house.get(page).text) is shown
