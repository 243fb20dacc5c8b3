"""Times survive being written, their text sorts as they do, and a trading day is the market's own."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.times import day_start, parse_time, time_text, trading_day

QUICK = settings(max_examples=200, deadline=None, derandomize=True)
NEW_YORK = ZoneInfo("America/New_York")
KOLKATA = ZoneInfo("Asia/Kolkata")
ZONES = [UTC, NEW_YORK, KOLKATA, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Europe/London")]
instants = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


@QUICK
@given(instants, st.sampled_from(ZONES))
def test_an_instant_survives_being_written_from_any_zone(at, zone):
    assert parse_time(time_text(at.astimezone(zone))) == at


@QUICK
@given(instants)
def test_the_text_is_utc_of_fixed_width(at):
    text = time_text(at)
    assert len(text) == len("2026-11-21T09:15:00.000000Z")
    assert text.endswith("Z")
    assert parse_time(text).tzinfo is UTC


@QUICK
@given(instants, instants | st.timedeltas(timedelta(microseconds=-2), timedelta(microseconds=2)))
def test_texts_sort_as_their_times(one, other):
    two = one + other if isinstance(other, timedelta) else other
    assert (time_text(one) < time_text(two)) == (one < two)
    assert (time_text(one) == time_text(two)) == (one == two)


@pytest.mark.parametrize(
    "utc", [datetime(2025, 11, 2, 5, 30, tzinfo=UTC), datetime(2026, 11, 1, 6, 30, tzinfo=UTC)]
)
def test_each_of_the_two_half_past_ones_is_written_as_the_instant_it_is(utc):
    local = utc.astimezone(NEW_YORK)
    assert (local.hour, local.minute, local.fold) == (1, 30, utc.hour - 5)
    assert time_text(local) == time_text(utc)


def test_the_hour_that_comes_twice_is_two_texts():
    first = datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK)
    assert time_text(first) == "2026-11-01T05:30:00.000000Z"
    assert time_text(first.replace(fold=1)) == "2026-11-01T06:30:00.000000Z"


@pytest.mark.parametrize(
    "text", ["2026-11-21T09:15:00", "2026-11-21", "", "yesterday", "2026-13-01T00:00:00Z"]
)
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)


@pytest.mark.parametrize(
    ("utc", "zone", "day"),
    [
        ("2026-11-20T18:29:59Z", KOLKATA, date(2026, 11, 20)),
        ("2026-11-20T18:30:00Z", KOLKATA, date(2026, 11, 21)),
        ("2026-03-08T04:59:59Z", NEW_YORK, date(2026, 3, 7)),  # standard time still
        ("2026-03-09T03:59:59Z", NEW_YORK, date(2026, 3, 8)),  # a day of 23 hours
        ("2026-03-09T04:00:00Z", NEW_YORK, date(2026, 3, 9)),
        ("2026-11-02T04:59:59Z", NEW_YORK, date(2026, 11, 1)),  # a day of 25 hours
        ("2026-11-02T05:00:00Z", NEW_YORK, date(2026, 11, 2)),
    ],
)
def test_a_trading_day_begins_at_the_markets_midnight(utc, zone, day):
    assert trading_day(parse_time(utc), zone) == day


@QUICK
@given(instants, st.timedeltas(timedelta(0), timedelta(days=3)), st.sampled_from(ZONES[1:]))
def test_a_trading_day_never_goes_back(at, later, zone):
    assert trading_day(at, zone) <= trading_day(at + later, zone)


@pytest.mark.parametrize(
    ("utc", "zone", "starts", "day"),
    [
        ("2026-11-20T00:29:59Z", KOLKATA, time(6), date(2026, 11, 19)),
        ("2026-11-20T00:30:00Z", KOLKATA, time(6), date(2026, 11, 20)),
        (
            "2026-11-01T05:30:00Z",
            NEW_YORK,
            time(1, 30),
            date(2026, 11, 1),
        ),  # half past one, for the first time
        ("2026-11-01T06:10:00Z", NEW_YORK, time(1, 30), date(2026, 11, 1)),  # ten past one, for the second
    ],
)
def test_a_trading_day_begins_when_the_settings_say(utc, zone, starts, day):
    assert trading_day(parse_time(utc), zone, starts) == day
    assert (
        day_start(day, zone, starts) <= parse_time(utc) or trading_day(parse_time(utc), zone, starts) != day
    )


@QUICK
@given(instants, st.timedeltas(timedelta(0), timedelta(days=3)), st.sampled_from(ZONES[1:]), st.times())
def test_a_trading_day_never_goes_back_whenever_it_begins(at, later, zone, starts):
    starts = starts.replace(tzinfo=None)
    assert trading_day(at, zone, starts) <= trading_day(at + later, zone, starts)
