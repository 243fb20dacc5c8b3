"""Each published list is read to the same fields, row by row; what cannot be read is told, and stops nothing else."""

import gzip
import io
import json
import zipfile
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.masters.files import UnknownList, read_list
from domain.instruments.instrument import Instrument, Kind, UnreadableListing
from tests.listed import listed

NFO = "Exchange,Token,LotSize,Symbol,TradingSymbol,Expiry,Instrument,OptionType,StrikePrice,TickSize,"
CASH = "Exchange,Token,LotSize,Symbol,TradingSymbol,Instrument,TickSize,"
OWN = "Token,Lotsize,Symbol,Tradingsymbol,Instrument,Expiry,Strike,Optiontype"
ZERODHA = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    "segment,exchange"
)
DHAN = (
    "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,SEM_TRADING_SYMBOL,"
    "SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE,SEM_EXPIRY_FLAG,"
    "SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME"
)
DETAILED = (
    "EXCH_ID,SEGMENT,SECURITY_ID,ISIN,INSTRUMENT,UNDERLYING_SECURITY_ID,UNDERLYING_SYMBOL,SYMBOL_NAME,DISPLAY_NAME,"
    "INSTRUMENT_TYPE,SERIES,LOT_SIZE,SM_EXPIRY_DATE,STRIKE_PRICE,OPTION_TYPE,TICK_SIZE,EXPIRY_FLAG"
)

Listing = Instrument | UnreadableListing


def read(text: str | bytes, name: str = "list.csv") -> list[Listing]:
    return list(read_list(name, io.BytesIO(text if isinstance(text, bytes) else text.encode())))


def row(head: str, line: str, name: str = "list.csv") -> Any:
    [found] = read(f"{head}\n{line}\n", name)
    return found


def told(found: Instrument) -> tuple[object, ...]:
    return (
        found.exchange,
        found.symbol,
        found.token,
        found.kind,
        found.underlying,
        found.expiry,
        found.strike,
        found.lot,
    )


# fmt: off
ROWS: list[tuple[str, str, str, tuple[object, ...], object]] = [
    (CASH, "NSE,11536,1,TCS,TCS-EQ,EQ,0.05,", "NSE_symbols.txt",
     ("NSE", "TCS-EQ", "11536", "EQ", "TCS", None, None, 1), Decimal("0.05")),
    (CASH, "NSE,26000,1,Nifty 50,Nifty 50,INDEX,0.05,", "NSE_symbols.txt",
     ("NSE", "Nifty 50", "26000", "IDX", "Nifty 50", None, None, None), None),
    (NFO[:-1], "NFO,42697,50,NIFTY,NIFTY27JUL23F,27-JUL-2023,FUTIDX,XX,-0.01,0.05", "NFO_symbols.txt",
     ("NFO", "NIFTY27JUL23F", "42697", "FUT", "NIFTY", date(2023, 7, 27), None, 50), Decimal("0.05")),
    (NFO, "NFO,165423,500,RELIANCE,RELIANCE30JUN26C1960,30-JUN-2026,OPTSTK,CE,1960,0.05,", "NFO_symbols.txt",
     ("NFO", "RELIANCE30JUN26C1960", "165423", "CE", "RELIANCE", date(2026, 6, 30), 1960, 500), Decimal("0.05")),
    (NFO, "BFO,837931,20,BSXOPT,SENSEX26SEP91000PE,24-SEP-2026,OPTIDX,PE,91000,0.05,", "BFO_symbols.txt",
     ("BFO", "SENSEX26SEP91000PE", "837931", "PE", "SENSEX", date(2026, 9, 24), 91000, 20), Decimal("0.05")),
    (NFO, "BFO,1,20,BSXOPT,SENSEX26O0173900PE,01-OCT-2026,OPTIDX,PE,73900,0.05,", "BFO_symbols.txt",
     ("BFO", "SENSEX26O0173900PE", "1", "PE", "SENSEX", date(2026, 10, 1), 73900, 20), Decimal("0.05")),
    (NFO, "BFO,2,30,BKXFUT,BANKEX26OCTFUT,29-OCT-2026,FUTIDX,XX,0,0.05,", "BFO_symbols.txt",
     ("BFO", "BANKEX26OCTFUT", "2", "FUT", "BANKEX", date(2026, 10, 29), None, 30), Decimal("0.05")),
    (NFO, "BFO,3,30,BKXOPT,OTHER,29-OCT-2026,OPTIDX,PE,7,0.05,", "BFO_symbols.txt",
     ("BFO", "OTHER", "3", "PE", "BANKEX", date(2026, 10, 29), 7, 30), Decimal("0.05")),
    (OWN, "42697,65,NIFTY,NIFTY29SEP26F,FUTIDX,29-SEP-2026,0,XX", "Nfo_Index_Derivatives.csv",
     ("NFO", "NIFTY29SEP26F", "42697", "FUT", "NIFTY", date(2026, 9, 29), None, 65), None),
    (OWN, "2,1,TCS,TCS-EQ,EQ,,,", "NSE_Equity.csv", ("NSE", "TCS-EQ", "2", "EQ", "TCS", None, None, 1), None),
    (OWN, "5,100,CRUDEOIL,CRUDEOIL16DEC26C5400,OPTFUT,16-DEC-2026,5400,CE", "Commodity.csv",
     ("MCX", "CRUDEOIL16DEC26C5400", "5", "CE", "CRUDEOIL", date(2026, 12, 16), 5400, 100), None),
    (f"Exchange,{OWN}", "CDS,5,1,USDINR,USDINR29DEC26F,FUTCUR,29-DEC-2026,0,XX", "anything.csv",
     ("CDS", "USDINR29DEC26F", "5", "FUT", "USDINR", date(2026, 12, 29), None, 1), None),
    (ZERODHA, '408065,1594,INFY,"INFOSYS",1500,,0,0.05,1,EQ,NSE,NSE', "instruments.csv",
     ("NSE", "INFY", "408065", "EQ", "INFY", None, None, 1), Decimal("0.05")),
    (ZERODHA, "3,3,NIFTY26SEPFUT,NIFTY,0,2026-09-29,0,0.05,65,FUT,NFO-FUT,NFO", "instruments.csv",
     ("NFO", "NIFTY26SEPFUT", "3", "FUT", "NIFTY", date(2026, 9, 29), None, 65), Decimal("0.05")),
    (ZERODHA, "4,4,NIFTY2681823500CE,NIFTY,0,2026-08-18,23500,0.05,65,CE,NFO-OPT,NFO", "instruments.csv",
     ("NFO", "NIFTY2681823500CE", "4", "CE", "NIFTY", date(2026, 8, 18), 23500, 65), Decimal("0.05")),
    (ZERODHA, "256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE", "instruments.csv",
     ("NSE", "NIFTY 50", "256265", "IDX", "NIFTY 50", None, None, None), None),
    (DHAN, "NSE,E,2885,EQUITY,0,RELIANCE,1.0,Reliance Industries,,,,10.0000,NA,ES,EQ,RELIANCE INDUSTRIES LTD", "s.csv",
     ("NSE", "RELIANCE", "2885", "EQ", "RELIANCE", None, None, 1), Decimal("0.1")),
    (DHAN, "NSE,I,13,INDEX,0,NIFTY,1.0,Nifty 50,0001-01-01,,XX,0.0500,,INDEX,X,NIFTY", "s.csv",
     ("NSE", "NIFTY", "13", "IDX", "NIFTY", None, None, None), None),
    (DHAN, "NSE,D,5,OPTIDX,0,NIFTY-Jul2026-24000-CE,65.0,N,2026-07-21 14:30:00,24000.0,CE,5.0000,W,OP,NA,N", "s.csv",
     ("NFO", "NIFTY-21JUL2026-24000-CE", "5", "CE", "NIFTY", date(2026, 7, 21), 24000, 65), Decimal("0.05")),
    (DHAN, "NSE,D,6,FUTSTK,0,BAJAJ-AUTO-Jul2026-FUT,75.0,N,2026-07-28 14:30:00,-0.01,XX,5.0000,M,FUT,NA,N", "s.csv",
     ("NFO", "BAJAJ-AUTO-28JUL2026-FUT", "6", "FUT", "BAJAJ-AUTO", date(2026, 7, 28), None, 75), Decimal("0.05")),
    (DETAILED, "NSE,D,7,,OPTSTK,2885,RELIANCE,RELIANCE-Jul2026-1400-PE,RELIANCE 28 JUL 1400 PUT,OP,NA,500.0,2026-07-28,"
     "1400.0,PE,5.0000,M", "d.csv",
     ("NFO", "RELIANCE-28JUL2026-1400-PE", "7", "PE", "RELIANCE", date(2026, 7, 28), 1400, 500), Decimal("0.05")),
    (DETAILED, "NSE,E,2885,INE002A01018,EQUITY,NA,RELIANCE,RELIANCE INDUSTRIES LTD,Reliance Industries,ES,EQ,1.0,,,,"
     "10.0000,NA", "d.csv",
     ("NSE", "RELIANCE", "2885", "EQ", "RELIANCE", None, None, 1), Decimal("0.1")),
    (DHAN, "MCX,M,8,OPTFUT,0,CRUDEOIL-16Oct2026-5500-CE,1.0,N,2026-10-16 23:30:00,5500.0,CE,10.0000,M,OP,NA,C", "s.csv",
     ("MCX", "CRUDEOIL-16OCT2026-5500-CE", "8", "CE", "CRUDEOIL", date(2026, 10, 16), 5500, 1), Decimal("0.1")),
]
# fmt: on


@pytest.mark.parametrize(("head", "line", "name", "expected", "tick"), ROWS)
def test_a_row_is_read_to_fields(head, line, name, expected, tick):
    found = row(head, line, name)
    assert (told(found), found.tick) == (expected, tick)


def test_one_format_of_objects_has_milliseconds_and_paise():
    objects = [
        {"segment": "NSE_EQ", "trading_symbol": "JOCIL", "instrument_key": "NSE_EQ|INE839G01010", "lot_size": 1,
         "freeze_quantity": 100000.0, "tick_size": 5.0, "instrument_type": "EQ"},
        {"segment": "NSE_FO", "trading_symbol": "NIFTY 23000 CE 29 DEC 26", "instrument_key": "NSE_FO|47983",
         "lot_size": 65, "freeze_quantity": 1755.0, "tick_size": 5.0, "instrument_type": "CE", "strike_price": 23000.0,
         "expiry": 1798568999000, "underlying_symbol": "NIFTY"},
        {"segment": "NSE_INDEX", "trading_symbol": "Nifty 50", "instrument_key": "NSE_INDEX|Nifty 50"},
        {"segment": "NSE_MOON", "trading_symbol": "X", "instrument_key": "Y"},
    ]  # fmt: skip
    packed = gzip.compress(json.dumps(objects).encode())
    share, option, index, bad = read(packed, "complete.json.gz")
    assert isinstance(share, Instrument) and isinstance(option, Instrument) and isinstance(index, Instrument)
    assert (share.exchange, share.token, share.tick, share.freeze) == (
        "NSE", "NSE_EQ|INE839G01010", Decimal("0.05"), 100000,
    )  # fmt: skip
    assert told(option)[3:] == (Kind.CALL, "NIFTY", date(2026, 12, 29), 23000, 65)
    assert (option.freeze, index.kind) == (1755, Kind.INDEX)
    assert isinstance(bad, UnreadableListing) and "NSE_MOON" in str(bad)


def test_objects_across_the_borders_of_what_is_read_at_once_are_whole():
    one = {"segment": "NSE_EQ", "trading_symbol": "A" * 90, "instrument_key": "k", "lot_size": 1, "tick_size": 5.0,
           "instrument_type": "EQ"}  # fmt: skip
    assert len(read(json.dumps([one] * 3000), "complete.json")) == 3000
    with pytest.raises(UnknownList, match="ends within object 3001"):
        read(json.dumps([one] * 3000)[:-1], "complete.json")


def test_rows_that_hold_a_token_alone_are_told_and_stop_no_other():
    """The published list begins with some: an import that stopped there had nothing."""
    good = "NFO,1,65,NIFTY,NIFTY29DEC26F,29-DEC-2026,FUTIDX,XX,-0.01,0.05,"
    bad = "NFO,2,x,N,N1,29-DEC-2026,FUTIDX,XX,0,0.05,"
    found = read(f"{NFO}\nNFO,26009,,,,,,,,,\n{good}\n{bad}\n")
    assert len(found) == 3
    first, second, third = found
    assert str(first) == "list.csv line 2: tradingsymbol: expected a text, got none"
    assert isinstance(second, Instrument)
    assert str(third) == "list.csv line 4: lotsize: expected a number, got 'x'"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("NFO,1,65,N,S,31-FEB-2026,FUTIDX,XX,0,0.05,", "expiry"),
        ("NFO,1,65,N,S,29-DEC-2026,OPTIDX,XX,500,0.05,", "optiontype"),
        ("NFO,1,65,N,S,29-DEC-2026,OPTIDX,CX,500,0.05,", "optiontype"),
        ("NFO,1,65,N,S,29-DEC-2026,OPTIDX,CE,0,0.05,", "strikeprice"),
        ("NFO,1,65,N,S,29-DEC-2026,OPTIDX,CE,NaN,0.05,", "strikeprice"),
        ("NFO,1,0,N,S,29-DEC-2026,OPTIDX,CE,5,0.05,", "lotsize"),
        (",1,65,N,S,29-DEC-2026,OPTIDX,CE,5,0.05,", "exchange"),
    ],
)
def test_a_row_that_is_in_doubt_is_not_read(line, complaint):
    assert complaint in row(NFO, line).why


@pytest.mark.parametrize(
    ("exchange", "written", "tick"),
    [
        ("NSE", "0.05", "0.05"),
        ("NSE", "5", None),
        ("NFO", "5.00", None),
        ("NFO", "1", None),
        ("NSE", "0", None),
    ],
)
def test_a_tick_that_may_be_in_paise_is_not_known(exchange, written, tick):
    head, line = (CASH, f"NSE,1,1,A,A-EQ,EQ,{written},") if exchange == "NSE" else (
        NFO, f"NFO,1,5,A,A29DEC26F,29-DEC-2026,FUTSTK,XX,0,{written},")  # fmt: skip
    assert row(head, line).tick == (None if tick is None else Decimal(tick))


def test_the_tick_of_a_commodity_may_be_a_rupee():
    head = NFO.replace("LotSize,", "LotSize,GNGD,")
    assert row(head, "MCX,1,1,100,GOLD,GOLD05FEB27,05-FEB-2027,FUTCOM,XX,0,1,").tick == 1


def test_the_multiplier_of_a_currency_is_kept():
    head = NFO.replace("LotSize,", "LotSize,Precision,Multiplier,")
    found = row(head, "CDS,1,1,4,1000,USDINR,USDINR29DEC26F,29-DEC-2026,FUTCUR,XX,0,0.0025,")
    assert (found.multiplier, found.tick) == (1000, Decimal("0.0025"))


def test_listed_tests_of_an_exchange_and_mere_underlyings_are_left_out():
    assert read(f"{DHAN}\nNSE,E,1,EQUITY,0,011NSETEST,1.0,X,,,,5.0,NA,ES,EQ,X\n") == []
    currencies = NFO.replace("LotSize,", "LotSize,Precision,Multiplier,")
    assert read(f"{currencies}\nCDS,1,1,4,1000,USDINR,USDINR,,UNDCUR,,,\n") == []
    assert read(f"{NFO}\nNFO,1,1,11NSETEST,11NSETEST29DEC26F,29-DEC-2026,FUTSTK,XX,0,0.05,\n") == []


def test_a_zip_is_unpacked():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("NSE_symbols.txt", f"\ufeff{CASH}\r\nNSE,11536,1,TCS,TCS-EQ,EQ,0.05,\r\n")
    [found] = read(packed.getvalue(), "NSE_symbols.txt.zip")
    assert isinstance(found, Instrument) and found.symbol == "TCS-EQ"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "a.csv"), ("a,b,c\n1,2,3\n", "a.csv"), ("<html>moved</html>", "NFO_symbols.txt"),
        (b"PK\x03\x04rest", "a.zip"),
        (b"\x1f\x8bno", "a.json.gz"), ("{}", "a.json"), ("[1]", "a.json"), ("[", "a.json"), (b"\xff\xfe\x00", "a.csv"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_list_is_refused_as_a_whole(text, name):
    with pytest.raises(UnknownList, match=r"a\.|NFO_"):
        read(text, name)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([NFO, CASH, OWN, ZERODHA, DHAN, DETAILED]),
    st.lists(st.text('NFOSE,-.0123456789CEPXX "\n'), max_size=5),
)
def test_damage_is_told_and_never_anything_else(head, lines):
    try:
        found = read(head + "\n" + "\n".join(lines))
    except UnknownList:
        return
    assert all(isinstance(each, Listing) for each in found)


def test_the_shipped_lists_are_read_whole():
    bad = [each for each in listed() if isinstance(each, UnreadableListing)]
    assert (len(listed()), [each.where for each in bad]) == (
        402, ["NFO_symbols.txt line 2", "NFO_symbols.txt line 3"],
    )  # fmt: skip
