"""What the tests of the command service share: legs, a service of their own, and short looks at what came of it."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from command_service import CommandService
from domain.alert import Delivery
from domain.broker_reports import Position, PositionsSnapshot
from domain.commands import UniversalOrderCommand
from domain.daily_loss import CONFIRMED_AFTER
from domain.enums import ExecutionType, OrderType, Side
from domain.limits import ClientPolicy, LimitBook, Limits
from domain.ports import Store
from domain.times import day_start, trading_day
from tests.support import Desk, ManualClock, SeededIds, leg

WINDOW = timedelta(seconds=60)
MICRO = timedelta(microseconds=1)
CE, PE = leg("NIFTY26NOV24500CE"), leg("NIFTY26NOV24500PE", side=Side.SELL)
KOLKATA = ZoneInfo("Asia/Kolkata")
DAY_STARTS = time(6)


def service(store: Store, clock: ManualClock, seed: int = 0, **clients: Limits) -> CommandService:
    """A service of its own for these clients on a store that others may use too."""
    policies = {
        name: ClientPolicy(name, LimitBook(limits), live_allowed=True) for name, limits in clients.items()
    }
    return CommandService(
        store,
        policies,
        clock=clock,
        ids=SeededIds(seed),
        dedup_window=WINDOW,
        alert_life=timedelta(seconds=300),
    )


def delivery(at: datetime, body: str = "{}") -> Delivery:
    return Delivery(at, "127.0.0.1", body, "native")


def positions_read(desk: Desk, client_id: str = "default", pnl: int = 0, at: datetime | None = None) -> None:
    """The client's account as read twice, the second time at that instant (now): flat, with this profit or loss."""
    at = at or desk.clock.now()
    for began in (at - CONFIRMED_AFTER, at):
        read_once(desk, client_id, pnl, began)


def read_once(desk: Desk, client_id: str = "default", pnl: int = 0, at: datetime | None = None) -> None:
    """The client's account as one read shows it."""
    at = at or desk.clock.now()
    position = Position("NFO", "ELSEWHERE", "MIS", Decimal(0), realized_pnl=Decimal(pnl))
    day = trading_day(at, KOLKATA, DAY_STARTS)
    desk.store.save_positions(
        client_id,
        PositionsSnapshot(at, (position,)),
        day,
        day_starts=day_start(day, KOLKATA, DAY_STARTS),
    )


def tags(desk: Desk) -> list[str | None]:
    return [row[0] for row in desk.rows("SELECT tag FROM orders ORDER BY rowid")]  # type: ignore[misc]


def command(command_id: str = "op-1", **changes: object) -> UniversalOrderCommand:
    values: dict[str, object] = {
        "command_id": command_id,
        "client_order_id": f"ow{command_id}",
        "client_id": "default",
        "execution_type": ExecutionType.ENTRY,
        "exchange": "NFO",
        "symbol": CE.symbol,
        "side": Side.BUY,
        "quantity": Decimal(50),
        "product": "MIS",
        "order_type": OrderType.LIMIT,
        "price": Decimal("112.5"),
        "trigger_price": None,
    }
    return UniversalOrderCommand(**(values | changes))  # type: ignore[arg-type]
