"""`python -m broker.simulator`: the simulated broker as a process of its own, until it is told to end."""

import argparse
import json
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from broker.masters.files import read_list
from broker.simulator.alpaca import AlpacaWire
from broker.simulator.dhan import DhanWire, Listed
from broker.simulator.faults import FaultPlan
from broker.simulator.kite import KiteWire
from broker.simulator.server import SimulatorServer
from broker.simulator.service import Simulator
from broker.simulator.sessions import Credentials
from broker.simulator.stream import UpdateStream
from domain.instruments.instrument import Instrument, Kind


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """The current time, aware UTC."""
        return datetime.now(UTC)


def main() -> None:
    """Serve until SIGTERM or SIGINT; the first line on stdout says where, as JSON."""
    options = _arguments()
    plan = FaultPlan.model_validate_json(options.faults.read_bytes()) if options.faults else None
    simulator = Simulator(
        SystemClock(),
        journal=options.journal,
        plan=plan,
        accounts=_accounts(options.accounts),
        not_ok_status=options.not_ok_status,
        market_orders=options.market_orders or options.wire == "alpaca",
    )
    if options.wire == "kite":
        server = SimulatorServer(
            simulator, port=options.port, route=KiteWire(simulator, market_orders=options.market_orders)
        )
        stream = None
    elif options.wire == "dhan":
        listed = None if options.instruments is None else _listed(options.instruments)
        server, stream = (
            SimulatorServer(simulator, port=options.port, route=DhanWire(simulator, listed)),
            None,
        )
    elif options.wire == "alpaca":
        server = SimulatorServer(simulator, port=options.port, route=AlpacaWire(simulator))
        stream = None
    else:
        server = SimulatorServer(simulator, port=options.port)
        stream = UpdateStream(simulator, port=options.stream_port)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    server.start()
    if stream is not None:
        stream.start()
    addresses = {"url": server.url, **({} if stream is None else {"stream": stream.url})}
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()
    ending.wait()
    if stream is not None:
        stream.stop()
    server.stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m broker.simulator", description=__doc__)
    parser.add_argument(
        "--wire",
        choices=("noren", "kite", "dhan", "alpaca"),
        default="noren",
        help="what it speaks; only noren has order updates",
    )
    parser.add_argument(
        "--instruments", type=Path, help="the published list whose security ids are taken (dhan)"
    )
    parser.add_argument(
        "--port", type=int, default=0, help="of the HTTP server; 0 (default) takes a free one"
    )
    parser.add_argument(
        "--stream-port", type=int, default=0, help="of the order updates' WebSocket, likewise"
    )
    parser.add_argument(
        "--journal", type=Path, help="the file that the day's book is kept in, and taken up from"
    )
    parser.add_argument(
        "--faults", type=Path, help='a file like the body of POST /_faults: {"faults": [...]}'
    )
    parser.add_argument("--accounts", type=Path, help="a JSON file of who may log in: user id to credentials")
    parser.add_argument(
        "--not-ok-status", type=int, choices=(200, 400), default=200, help="the HTTP status of Not_Ok answers"
    )
    parser.add_argument(
        "--market-orders",
        action="store_true",
        help="take market orders as they are (noren), or without market protection (kite)",
    )
    return parser.parse_args()


def _listed(path: Path) -> Listed:
    """Return what tells the symbol of a security id, by a published list."""
    symbols: dict[tuple[str, str], str] = {}
    with path.open("rb") as stream:
        for row in read_list(path.name, stream):
            if isinstance(row, Instrument) and row.kind is not Kind.INDEX:
                symbols[row.exchange, row.token] = row.symbol
    return lambda exchange, security_id: symbols.get((exchange, security_id))


def _accounts(path: Path | None) -> dict[str, Credentials] | None:
    if path is None:
        return None
    return {uid: Credentials(**known) for uid, known in json.loads(path.read_bytes()).items()}


if __name__ == "__main__":
    main()
