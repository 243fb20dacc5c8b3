"""The composition root: what the services of each process are made of, and what each process serves."""

import contextlib
import gc
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

if __name__ == "__main__":
    gc.disable()  # until `main`: collections during the imports find nothing, and take a seventh of the start

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue

from alerts.formats.registry import dialects_with
from alerts.rate_limit import Admission, delivery_limiter, guess_limiter
from alerts.receiver import AlertReceiver, Answer
from alerts.receiver import Request as AlertRequest
from alerts.webhook import create_webhook
from app.alert_door import ALERTS, AlertApplication
from app.arguments import SUPERVISED, WATCH, WEB, check_no_arguments, service_arguments
from app.child_process import ChildProcess, end_with_parent, share_heaps
from app.container import OperatorActions, Services, build_services
from app.instruments import brokers_with_lists, care_of, load_first
from app.log_care import LogCare
from app.proxies import CERTIFICATE, Proxies
from app.starting import (
    EXIT_UNAVAILABLE,
    notify_exits_off,
    prepared,
    previewer_of,
    print_banner,
    read_settings,
    replayer_of,
    secrets_of,
    warn_of_slow_stall,
)
from app.stopped_holder import StoppedHolder
from app.supervisor import EXIT_PORT_TAKEN, answering_instance, is_taken, supervise
from app.system import new_watcher_name
from app.watcher import Housekeeping, MessageWays, Watcher, WatcherOptions
from app.web import WebServer, gunicorn_options, load_web_server
from command_service import CommandService
from config.settings import ClientSettings, Settings
from console import Access, AlertDoor, TradingMode, create_console, create_health
from conversation.listener import Listener
from domain.alert import Delivery, ParsedAlert
from domain.errors import InvalidAlert, StoreUnavailable
from domain.notices import Notice, NoticeKind
from domain.ports import OrderStream, Transaction
from domain.receipt import Receipt
from notifications.outbox import OutboxDrainer
from persistence.database import Database, Figures, Timings

__all__ = [
    "Services",
    "TradingBot",
    "build_services",
    "create_app",
    "main",
    "make_app",
    "make_watcher",
    "watch",
    "watch_alone",
]


log = logging.getLogger(__name__)

_PROGRAM = "trading_bot.py"


class TradingBot:
    """Registers the webhook's alerts: alerts in, receipts out."""

    def __init__(self, commands: CommandService) -> None:
        self._commands = commands

    def process_alert(self, alert: ParsedAlert, delivery: Delivery) -> Receipt:
        """Make an alert's legs durable; returns their state. Raises as `CommandService.register` does."""
        return self._commands.register(alert, delivery)

    def process_alerts(self, alerts: Sequence[tuple[ParsedAlert, Delivery]]) -> list[Receipt | Exception]:
        """Make several alerts durable in one transaction. Raises as `CommandService.register_together` does."""
        return self._commands.register_together(alerts)

    def keep_rejected(
        self,
        client_id: str,
        delivery: Delivery,
        error: InvalidAlert,
        *,
        strategy_name: str | None,
        signal_id: str | None,
        execution_type: str | None,
        symbols: Sequence[str],
    ) -> str:
        """Store an alert that cannot be traded on, and notify the operator; returns the alert's id."""
        return self._commands.keep_rejected(
            client_id,
            delivery,
            error,
            strategy_name=strategy_name,
            signal_id=signal_id,
            execution_type=execution_type,
            symbols=symbols,
        )


def create_app(settings: Settings | None = None) -> Flask:
    """Create the application with the webhook and the console. The watcher runs in a process of its own."""
    return make_app(build_services(settings or read_settings()))


def make_app(services: Services) -> Flask:
    """Create the Flask application of these services."""
    settings = services.settings
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.webhook_max_bytes  # the front reads no more either
    receiver = _receiver(services)
    app.register_blueprint(
        create_webhook(receiver, max_bytes=settings.webhook_max_bytes, certificate_key=CERTIFICATE)
    )
    _add_console(app, services, receiver)
    proxies = Proxies(
        settings.trusted_proxies, settings.trusted_proxy_addresses, settings.webhook_certificate_header
    )
    app.extensions[ALERTS] = AlertApplication(receiver, proxies.sender_of, proxies.certificate_header)
    app.wsgi_app = proxies.wrapped(app.wsgi_app)  # type: ignore[assignment, method-assign]
    return app


def _receiver(services: Services) -> AlertReceiver:
    settings = services.settings
    return AlertReceiver(
        TradingBot(services.commands),
        secrets_of(settings),
        clock=services.clock,
        admission=Admission(
            delivery_limiter(settings.webhook_rate_per_second, time.monotonic),
            delivery_limiter(settings.webhook_rate_per_second, time.monotonic),
            guess_limiter(settings.webhook_auth_failures_per_minute, time.monotonic),
            settings.senders,
        ),
        dialects=dialects_with((each.name, each.table) for each in settings.formats),
        defaults=settings.alert_defaults,
    )


def _add_console(app: Flask, services: Services, receiver: AlertReceiver) -> None:
    """Add the operator's pages, health and metrics."""
    settings, clock = services.settings, services.clock
    token = settings.console_token.get_secret_value()
    beat_age, positions_age = services.beat_max_age_seconds, services.positions_max_age_seconds
    modes = {c.client_id: _mode(c) for c in (settings.default_client, *settings.clients)}
    loss_limited = services.loss_limited
    preview = cache(lambda: previewer_of(settings, lambda: services.store))
    app.register_blueprint(
        create_console(
            services.views,
            OperatorActions(services),
            services.database.operator_records(),
            AlertDoor(
                lambda raw, name: preview()(raw, name),
                lambda: receiver.strangers,
                partial(_try_out, services.settings, receiver),
                replayer_of(services),
            ),
            token=token,
            clock=clock,
            modes=modes,
            zone=settings.trading_timezone,
            beat_max_age_seconds=beat_age,
            positions_max_age_seconds=positions_age,
            loss_limited=loss_limited,
            unwritable=lambda: services.store.unwritable,
        )
    )
    app.register_blueprint(
        create_health(
            services.views,
            clock=clock,
            clients=tuple(modes),
            beat_max_age_seconds=beat_age,
            positions_max_age_seconds=positions_age,
            instance=services.instance,
            database=services.database.identity,
            replaced=lambda: services.store.replaced,
            loss_limited=loss_limited,
            unwritable=lambda: services.store.unwritable,
        )
    )
    access = Access(token, clock)
    page = cache(lambda: _metrics_page(services))  # its library is loaded for those who ask

    @app.post("/api/preview")
    def preview_alert() -> ResponseReturnValue:
        refusal = access.refusal(request)
        if refusal is not None:
            raise refusal
        return dict(preview()(request.get_data(), request.args.get("format")))

    @app.get("/metrics")
    def metrics() -> Response:
        refusal = access.refusal(request)
        if refusal is not None:
            raise refusal
        content, content_type = page()
        return Response(content(), content_type=content_type)


def _try_out(
    settings: Settings, receiver: AlertReceiver, fields: Mapping[str, Any]
) -> tuple[int, Mapping[str, Any]]:
    """Deliver an alert of our own with the right secret; a simulated broker answers for it (`test_mode`)."""
    secret = settings.default_client.webhook_secret.get_secret_value()
    body = json.dumps({**fields, "secret_key": secret}).encode()
    answer = receiver.receive(AlertRequest("console", is_own=True), body)
    if not isinstance(answer, Answer):
        answer = receiver.settle(answer)
    return answer.status, json.loads(answer.body)


def _metrics_page(services: Services) -> tuple[Callable[[], bytes], str]:
    from observability.metrics import CONTENT_TYPE, metrics_page

    return metrics_page(partial(_figures, services), partial(_timings, services)), CONTENT_TYPE


def _figures(services: Services) -> Figures:
    """The figures for `/metrics`. Of a database that cannot be read there is only the check that says so."""
    checks = {name: 1.0 if check.ok else 0.0 for name, check in services.checks().items()}
    try:
        found = services.database.metrics(services.clock.now())
    except (StoreUnavailable, OSError) as error:
        log.error("metrics: %s", error)
        found, checks = {}, checks | {"database": 0.0}
    return {"orderwatch_check_ok": checks, **found}


def _timings(services: Services) -> Timings:
    try:
        return services.database.timings(services.clock.now())
    except StoreUnavailable as error:
        log.error("metrics: %s", error)
        return {}


def _mode(client: ClientSettings) -> TradingMode:
    if not client.is_real:
        return TradingMode.SIMULATED
    return TradingMode.LIVE if client.live_trading else TradingMode.DRY


def serve_web(settings: Settings, *, supervised: bool) -> int:
    """Serve the web server alone, in this process."""
    services = prepared(settings, supervised=supervised)
    options = gunicorn_options(
        settings.host, settings.port, workers=settings.web_workers, threads=settings.web_threads
    )
    WebServer(lambda: make_app(services), options).run()
    return 0


def watch(
    settings: Settings | None = None, *, supervised: bool = False, pulse_pipe: int | None = None
) -> int:
    """Run a watcher alone, in this process. Without `settings` they are read; heartbeats go to `pulse_pipe`."""
    settings = settings or read_settings()
    services = prepared(settings, supervised=supervised)
    if not supervised:
        warn_of_slow_stall(settings)
    name = new_watcher_name()
    services.store.claimants.enter(name)
    drainer = services.drainer(name)
    listener = services.listener(name)
    with services.store.claimants.ended() as ended:
        _tell_of_the_dead(services, name, ended)
        for leased in (drainer, listener):
            if leased is not None:
                leased.release_of(ended)
    notify_exits_off(services)
    watcher = make_watcher(services, name, drainer, listener)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: watcher.stop())
    updates = _order_updates(services, watcher)
    monitor = services.outside_monitor(partial(_web_answers, settings) if supervised else None)
    for beginning in (*updates, *([] if monitor is None else [monitor])):
        beginning.start()
    watcher.run(pulse=lambda: _pulse(pulse_pipe))
    if monitor is not None:
        monitor.stop()
    for stream in updates:
        stream.stop()
    if drainer is not None:
        drainer.release()
    if listener is not None:
        listener.stop()
    services.store.forget_beats([name])
    services.store.claimants.leave(name)
    return 0


def _web_answers(settings: Settings) -> bool:
    """True when the web server answers that this process's supervisor has started."""
    return answering_instance(settings.host, settings.port) == str(os.getppid())


def watch_alone(arguments: Sequence[str] | None = None) -> int:
    """As `watch`, for `python order_watcher.py`. With arguments that it does not know nothing is started."""
    check_no_arguments(sys.argv[1:] if arguments is None else arguments)
    return watch()


def _order_updates(services: Services, watcher: Watcher) -> list[OrderStream]:
    """The brokers' order streams, where they have one. They only give speed: the order book stays the truth."""
    found = []
    for client_id, broker in services.brokers.items():
        if broker.stream is not None:
            listener = broker.stream.updates(partial(watcher.nudge, client_id))
            found += [] if listener is None else [listener]
    return found


def _tell_of_the_dead(services: Services, name: str, ended: Sequence[str]) -> None:
    """Notify of watchers that ended without leaving: they were killed or crashed."""
    text = f"watcher {', '.join(ended)} ended unexpectedly; {name} goes on with its orders"

    def tell(tx: Transaction) -> None:
        for client_id in services.policies:
            tx.notify(Notice(NoticeKind.SYSTEM, client_id, detail=text))

    if ended:
        services.store.write(tell)
        services.store.forget_beats(ended)


def _pulse(pipe: int | None) -> None:
    """Send the supervisor a heartbeat. Without one for too long it starts another watcher."""
    if pipe is not None:
        with contextlib.suppress(BlockingIOError):  # the pipe is full: the supervisor has heartbeats to read
            os.write(pipe, b".")


def make_watcher(
    services: Services, name: str, drainer: OutboxDrainer | None, listener: Listener | None = None
) -> Watcher:
    """Create the watcher of these services. The process that runs it must hold its name."""
    settings, clock = services.settings, services.clock
    return Watcher(
        services.engine(name),
        services.store,
        clock=clock,
        changes=services.database.changes(),
        messages=MessageWays(
            None if drainer is None else lambda: drainer.drain(clock.now()),
            services.tell_directly,
            None if listener is None else listener.listen,
        ),
        housekeeping=_housekeeping(services),
        options=WatcherOptions(
            name=name,
            concurrency=settings.watcher_concurrency,
            poll_seconds=settings.watcher_poll_seconds,
            deadline_seconds=settings.broker_deadline_seconds,
            stall_seconds=settings.watcher_stall_seconds,
        ),
    )


def _housekeeping(services: Services) -> list[Housekeeping]:
    database, clock = services.database, services.clock

    def tell_frozen() -> None:
        for client_id in services.policies:
            services.reviewer.tell_frozen(client_id)

    jobs = [
        Housekeeping("wal", 2.0, LogCare(database, services.store).look),
        Housekeeping("event_checkpoint", 60.0, lambda: database.checkpoint_events(clock.now())),
        Housekeeping("frozen_orders", 60.0, tell_frozen),
        Housekeeping("unconfigured_clients", 10.0, services.unconfigured.check),
    ]
    if brokers_with_lists(services.settings):
        care = care_of(services.settings, services.masters, services.store, clock)
        jobs.append(Housekeeping("instruments", 2.0, care.look))
    days = services.settings.archive_after_days
    if days is not None:
        jobs.append(Housekeeping("archive", 60.0, lambda: _archive_one_batch(database, clock.now(), days)))
    return jobs


def _archive_one_batch(database: Database, now: datetime, days: int) -> None:
    """Archive one bounded batch, so that orders are never delayed for long. The next call goes on where it stopped."""
    database.archive(older_than=now - timedelta(days=days), batch=500, now=now)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve everything, or the part that the arguments name.

    Everything is a watcher and the web server, each in its own process, until a signal ends them.
    """
    start = service_arguments(sys.argv[1:] if arguments is None else arguments)
    if start.supervised:
        end_with_parent()
    share_heaps()
    settings = read_settings()
    gc.freeze()  # what was imported stays: no collection looks at it, or copies memory that processes share
    gc.enable()
    if start.part == WEB:
        return serve_web(settings, supervised=start.supervised)
    if start.part == WATCH:
        return watch(settings, supervised=start.supervised)
    return _serve_everything(settings)


def _serve_everything(settings: Settings) -> int:
    """Become the supervisor of a watcher and a web server, which are forked from this process.

    This process itself starts no thread and opens no database: see `app.child_process`.
    """
    address = (settings.host, settings.port)
    if is_taken(*address):
        return EXIT_PORT_TAKEN
    preparing = ChildProcess(partial(_prepare, settings), (_PROGRAM, "prepare"))
    load_web_server()
    status = preparing.wait()
    if status:
        return status if status > 0 else EXIT_UNAVAILABLE
    warn_of_slow_stall(settings)
    print_banner(settings)
    return supervise(
        _PROGRAM,
        lambda pulse_pipe: watch(settings, supervised=True, pulse_pipe=pulse_pipe),
        partial(_serve_web_in_child, settings),
        address=address,
        pulse_limit=settings.watcher_stall_seconds,
        free_locks=StoppedHolder(settings.orders_db.absolute()).look,
    )


def _prepare(settings: Settings) -> int:
    """Create or migrate the database, load what alerts need, and check that the service may start: 0 when it may."""
    services = prepared(settings, supervised=False)
    load_first(settings, services.masters, services.clock.now())
    return 0


def _serve_web_in_child(settings: Settings) -> int:
    sys.argv = [sys.argv[0], WEB, SUPERVISED]  # with which gunicorn starts its successor on SIGUSR2
    return serve_web(settings, supervised=True)


if __name__ == "__main__":
    raise SystemExit(main())
