"""The service's own watcher, with another broker in the place of paper.

`python -m benchmarks.stub_watcher URL`, settings from the environment.
"""

import sys

import trading_bot
from benchmarks.http_broker import StubBroker
from config.settings import Settings
from runtime.supervisor import end_with_parent
from trading_bot import Services, build_services


def main() -> int:
    """Watch until a signal ends it."""
    end_with_parent()
    url = sys.argv[1]

    def with_stub(settings: Settings) -> Services:
        services = build_services(settings)
        services.__dict__["brokers"] = {c: StubBroker(url, services.clock) for c in services.policies}
        return services

    trading_bot.build_services = with_stub
    return trading_bot.watch()


if __name__ == "__main__":
    raise SystemExit(main())
