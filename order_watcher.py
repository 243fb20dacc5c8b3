"""The OrderWatcher, and the program that runs one alone: `python order_watcher.py`."""

from engine.client_context import ClientContext, EngineTimings
from engine.order_watcher import OrderWatcherEngine

__all__ = ["ClientContext", "EngineTimings", "OrderWatcherEngine"]

if __name__ == "__main__":
    from trading_bot import watch_alone

    raise SystemExit(watch_alone())
