"""The gunicorn application: the same settings whether it is started by one command or by gunicorn's own."""

from collections.abc import Callable, Mapping
from typing import Any

from gunicorn.app.base import BaseApplication

FRONT = "app.front.FrontWorker"


class WebServer(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """Serves a Flask application made by `make_app` in each worker process."""

    def __init__(self, make_app: Callable[[], Any], options: Mapping[str, object]) -> None:
        self._make_app = make_app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Hand gunicorn our options."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Create the application in each worker, so that no connection is shared across a fork."""
        return self._make_app()


def load_web_server() -> None:
    """Import what gunicorn imports only when it starts. For a process that forks, and that waits for something else."""

    import app.front  # noqa: F401


def gunicorn_options(host: str, port: int, *, workers: int, threads: int) -> dict[str, object]:
    """Options of the web server: threads, because the work waits for fsync, and keep-alive, because senders repeat.

    `gunicorn.conf.py` sets the same for a gunicorn that is started by hand.
    """
    return {
        "bind": f"{host}:{port}",
        "workers": workers,
        "threads": threads,
        "worker_class": FRONT,
        "timeout": 30,
        "graceful_timeout": 10,
        "keepalive": 15,
        "accesslog": None,
        "errorlog": "-",
        "loglevel": "warning",
        "control_socket_disable": True,
    }
