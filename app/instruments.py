"""From the published lists in INSTRUMENTS_DIR to masters, and from those to what resolves the names of alerts."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from app.instrument_care import InstrumentCare, loading_command, readable, source_of
from broker.masters.files import SUFFIXES, UnknownList, read_list
from config.settings import Settings
from domain.errors import OrderwatchError, StoreUnavailable
from domain.instruments.instrument import Instrument, MasterFacts, UnreadableListing, shrunk
from domain.instruments.leg_choice import NotChosen, reference_of
from domain.leg_templates import LegTemplate
from domain.limits import ClientPolicy
from domain.ports import Clock, Store
from domain.ports.instruments import InstrumentStore, Master
from domain.ports.sizing import SizingReads
from persistence.instruments import open_instruments
from use_cases.expand_templates import ExpandTemplates
from use_cases.prepare_alert import PrepareAlert
from use_cases.resolve_instruments import ClientMaster, Place, ResolveInstruments
from use_cases.size_entries import SizeEntries

_CLI = Path(__file__).resolve().parent.parent / "cli.py"
log = logging.getLogger(__name__)

KEPT = 5
"""Masters of a broker that are kept, the newest."""


class NotLoaded(OrderwatchError):
    """The lists were not taken into use; the master before stays."""


def lists_of(folder: Path | None, broker: str) -> list[Path]:
    """Return the lists of a broker: those in its own folder, or where it has none, those in the folder itself."""
    if folder is None:
        return []
    own = folder / broker
    place = own if own.is_dir() else folder
    if not place.is_dir():
        return []
    return sorted(
        each
        for each in place.iterdir()
        if each.suffix.lower() in SUFFIXES and not each.name.startswith(".") and each.is_file()
    )


def brokers_with_lists(settings: Settings) -> list[str]:
    """Return the brokers of the clients that have lists, by name."""
    named = {client.broker for client in settings.clients}
    return sorted(each for each in named if lists_of(settings.instruments_dir, each))


def largest_of(store: InstrumentStore, broker: str) -> Callable[[str, str], Decimal | None]:
    """Return what tells the largest quantity that one order may have at a broker's exchange.

    None where the broker's list has not just one instrument of that name, or does not say, or cannot be read: then
    nothing is sliced, and the exchange may turn the order away.
    """

    def largest(exchange: str, symbol: str) -> Decimal | None:
        try:
            master = store.current(broker)
            found = [] if master is None else master.named(symbol.upper())
        except StoreUnavailable as error:
            log.warning("the instruments of %s cannot be read: %s", broker, error)
            return None
        here = [each for each in found if each.exchange == exchange]
        return here[0].largest_order if len(here) == 1 else None

    return largest


def resolver_of(settings: Settings, store: InstrumentStore | None = None) -> ResolveInstruments | None:
    """Return what resolves the names of alerts; None where no client has a master."""
    brokers = brokers_with_lists(settings)
    if not brokers:
        return None
    return ResolveInstruments(
        store or open_instruments(settings.orders_db),
        {
            client.client_id: ClientMaster(client.broker, client.is_real)
            for client in settings.clients
            if client.broker in brokers
        },
        defaults=settings.alert_defaults,
        zone=settings.trading_timezone,
    )


def prepare_of(
    settings: Settings,
    reads: SizingReads,
    policies: Mapping[str, ClientPolicy],
    masters: InstrumentStore | None = None,
) -> PrepareAlert:
    """Return what finds out what the names and sizes of alerts stand for."""
    masters = masters or open_instruments(settings.orders_db)
    known = brokers_with_lists(settings)
    listed = {
        client.client_id: ClientMaster(client.broker, client.is_real)
        for client in settings.clients
        if client.broker in known
    }
    return PrepareAlert(
        resolver_of(settings, masters),
        ExpandTemplates(reads, masters, listed, zone=settings.trading_timezone),
        SizeEntries(reads, policies, equity_max_age=timedelta(seconds=settings.equity_max_age_seconds)),
    )


def priced_places(
    settings: Settings, client_id: str, masters: InstrumentStore, clock: Clock
) -> Callable[[], Mapping[Place, Instrument | None]]:
    """Return what finds the places whose prices the strategies of a client size by, or choose strikes by."""
    client = settings.client(client_id)
    books = [settings.alert_defaults.default, *settings.alert_defaults.by_strategy.values()]
    mine = [each for each in books if not each.clients or client_id in {c.client_id for c in each.clients}]
    fixed = {place for each in mine for place in each.prices_of}
    templates = {each.legs for each in mine if each.legs is not None}

    def places() -> Mapping[Place, Instrument | None]:
        if not fixed and not templates:
            return {}
        master = readable(masters, client.broker)
        today = clock.now().astimezone(settings.trading_timezone).date()
        found = (_reference(template, master, today) for template in templates)
        wanted = sorted(fixed | {place for place in found if place is not None})
        return {place: _listed_at(place, master) for place in wanted}

    return places


def _listed_at(place: Place, master: Master | None) -> Instrument | None:
    """The one instrument of this exchange and symbol; None where there is none or several."""
    try:
        found = [] if master is None else [each for each in master.named(place[1]) if each.address == place]
    except StoreUnavailable:
        return None
    return found[0] if len(found) == 1 else None


def _reference(template: LegTemplate, master: Master | None, today: date) -> Place | None:
    try:
        return template.reference if master is None else reference_of(template, master, today)
    except (NotChosen, StoreUnavailable):
        return None  # told where an alert needs it


def load_lists(
    store: InstrumentStore,
    broker: str,
    files: Sequence[Path],
    *,
    now: datetime,
    zone: ZoneInfo,
    shrunk_too: bool = False,
) -> MasterFacts:
    """Load a broker's lists as one master, of the date of the oldest file; return what was loaded.

    Args:
        shrunk_too: take it into use although an exchange has less than half of the rows of the master before.

    Raises:
        NotLoaded: there is no list, one is not known or damaged, or too many rows are missing.
        StoreUnavailable: it could not be kept.
    """
    if not files:
        raise NotLoaded(f"no list of {broker} in INSTRUMENTS_DIR")
    before = readable(store, broker)

    def check(loaded: MasterFacts) -> None:
        if not loaded.rows:
            raise NotLoaded(
                f"the lists of {broker} have no row that can be read: {'; '.join(loaded.examples)}"
            )
        missing = [] if before is None or shrunk_too else shrunk(before.facts.counts, loaded.counts)
        if missing:
            raise NotLoaded(
                f"rows are missing from the lists of {broker} ({'; '.join(missing)}): the master of "
                f"{before.facts.day if before else ''} stays; load with --shrunk-too where that is meant"
            )

    try:
        facts = MasterFacts(broker, day_of(files, zone), now, source=source_of(files))
        loaded = store.load(facts, _rows(files), check)
    except UnknownList as error:
        raise NotLoaded(str(error)) from error
    store.forget(broker, keep=KEPT)
    return loaded


def load_first(settings: Settings, store: InstrumentStore, now: datetime) -> None:
    """Load the lists of brokers that have no master yet, so that no alert comes before it; what fails is logged."""
    for broker in brokers_with_lists(settings):
        if readable(store, broker) is not None:
            continue
        files = lists_of(settings.instruments_dir, broker)
        try:
            loaded = load_lists(store, broker, files, now=now, zone=settings.trading_timezone)
        except (OrderwatchError, OSError) as error:
            log.error("the instruments of %s were not loaded: %s", broker, error)
        else:
            log.info("instruments of %s: %d loaded, of %s", broker, loaded.rows, loaded.day)


def day_of(files: Sequence[Path], zone: ZoneInfo) -> date:
    """Return the date of the oldest file, by the market's clock."""
    oldest = min(each.stat().st_mtime for each in files)
    return datetime.fromtimestamp(oldest, UTC).astimezone(zone).date()


def _rows(files: Sequence[Path]) -> Iterator[Instrument | UnreadableListing]:
    for path in files:
        with path.open("rb") as stream:
            yield from read_list(path.name, stream)


def care_of(settings: Settings, masters: InstrumentStore, store: Store, clock: Clock) -> InstrumentCare:
    """Return what keeps the masters of the clients' brokers fresh while a watcher runs."""
    told: dict[str, list[str]] = {broker: [] for broker in brokers_with_lists(settings)}
    for client in settings.clients:
        if client.is_real and client.broker in told:
            told[client.broker].append(client.client_id)
    return InstrumentCare(
        masters,
        store,
        clock=clock,
        zone=settings.trading_timezone,
        lists=lambda broker: lists_of(settings.instruments_dir, broker),
        clients=told,
        command=loading_command(_CLI),
    )
