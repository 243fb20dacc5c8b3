"""The operator's pages and JSON: the order book, one order's story, health, diagnostics, halting."""

from console.access import Access
from console.alerts import AlertDoor
from console.blueprint import create_console
from console.health import create_health
from console.ports import ConsoleControl, TradingMode

__all__ = ["Access", "AlertDoor", "ConsoleControl", "TradingMode", "create_console", "create_health"]
