"""The service's own watcher, with another broker in place of the paper broker.

`python -m benchmarks.stub_watcher [--book-interval SECONDS] [CLIENT=]URL ...`, settings from the environment. A URL
without a client is for every client that has none of its own.
"""

import argparse
from dataclasses import replace

import app.starting
import trading_bot
from app.child_process import end_with_parent
from benchmarks.http_broker import StubBroker
from broker.test_mode import BrokerWithTestMode
from config.settings import Settings
from domain.ports import ClientBroker
from trading_bot import Services, build_services


def main() -> int:
    """Watch until a signal ends it."""
    end_with_parent()
    parser = argparse.ArgumentParser()
    parser.add_argument("--book-interval", type=float, default=StubBroker.traits.book_interval)
    parser.add_argument("urls", nargs="+", type=_client_and_url)
    options = parser.parse_args()
    urls, traits = dict(options.urls), replace(StubBroker.traits, book_interval=options.book_interval)

    def with_stub(settings: Settings) -> Services:
        services = build_services(settings)
        services.__dict__["brokers"] = {
            client: ClientBroker(
                BrokerWithTestMode(
                    StubBroker(urls.get(client) or urls[""], services.clock, traits), services.clock
                )
            )
            for client in services.policies
        }
        return services

    app.starting.build_services = with_stub  # type: ignore[attr-defined]  # what `watch` builds its services with
    return trading_bot.watch()


def _client_and_url(argument: str) -> tuple[str, str]:
    client, _, url = argument.rpartition("=")
    return client, url


if __name__ == "__main__":
    raise SystemExit(main())
