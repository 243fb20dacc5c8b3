"""The story of one symbol in one simulated world: its rows, its fills, what hands did, what was told, in time order."""

import json
from datetime import UTC, datetime, timedelta

from domain.times import parse_time
from tests.simulation.plan import Plan
from tests.simulation.runs import database
from tests.simulation.scheduler import START
from tests.simulation.world import World

_SHOWN = ("reason_message", "filled_quantity", "quantity", "not_before", "broker_order_id", "tag")


def symbol_story(plan: Plan, command_id: str) -> list[str]:
    """Run the world and return a line for each thing that concerns that order's symbol, the oldest first."""
    lines = list[tuple[float, str]]()

    def look(world: World) -> None:
        order = world.promises.rows[command_id]
        place = order.client_id, order.symbol
        lines.extend([*_of_broker(world, *place), *_of_database(world, *place)])

    with database() as path:
        figures = World(plan, path).run(look)
    lines += [(broken.at, f"BROKEN {broken.promise}: {broken.text}") for _, broken in figures.broken]
    return [f"{at:10.3f} {text}" for at, text in sorted(lines)]


def _of_broker(world: World, client_id: str, symbol: str) -> list[tuple[float, str]]:
    account = world.accounts[client_id]
    hands = {(at, product, units) for at, of, product, units in account.by_hand if of == symbol}
    moved = {(at, product, units) for at, of, product, units in account.conversions if of == symbol}
    lines = []
    for at, of, product, units in account.fills:
        if of == symbol:
            key = (at, product, units)
            who = "hand" if key in hands else "conversion" if key in moved else "ours"
            lines.append((at / 1e6, f"  AT BROKER {units:+} {product} ({who})"))
    return lines


def _of_database(world: World, client_id: str, symbol: str) -> list[tuple[float, str]]:
    lines = []
    rows = [o for o in world.promises.rows.values() if (o.client_id, o.symbol) == (client_id, symbol)]
    for order in rows:
        name = f"{order.strategy_name} {order.execution_type} {order.side} {order.command_id}"
        events = world.promises.select(
            "SELECT at, to_phase, actor, detail_json FROM order_events WHERE command_id = ?", order.command_id
        )
        for at, phase, actor, detail in events:
            seen = {
                key: value for key, value in json.loads(detail or "{}").items() if key in _SHOWN and value
            }
            lines.append((_seconds(at), f"{name} {phase} {actor} {seen or ''}"))
    told = world.promises.select(
        "SELECT timestamp, message FROM telegram_messages WHERE client_id = ? AND symbol = ? AND command_id IS NULL",
        client_id,
        symbol,
    )
    return lines + [(_seconds(at), f"  TOLD {message}") for at, message in told]


def _seconds(text: str) -> float:
    at: datetime = parse_time(text)
    return (at.astimezone(UTC) - START) / timedelta(seconds=1)
