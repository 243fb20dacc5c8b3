"""The gunicorn worker in front of the Flask application: an event loop takes whole requests, threads answer them.

`gunicorn --worker-class app.front.FrontWorker 'trading_bot:create_app()'` is served by it; so is everything that
`trading_bot.py` starts.
"""

import asyncio
import resource
import sys
from typing import Any

from gunicorn.workers import gasgi

from app.connections import Connection, Connections
from app.wsgi_handoff import WholeRequests

_DEFAULT_MAX_BYTES = 262_144
_SWEEP_SECONDS = 0.25
_STOP_SECONDS = 1.0
"""What is half sent at a stop may become whole for so long."""
_FILES_BESIDE = 256
"""Open files for everything else than connections: databases, locks, logs."""
_SWITCH_SECONDS = 0.001
"""How long a thread may keep the interpreter from the loop; the default of 5 ms would be each alert's delay."""


class FrontWorker(gasgi.ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's asgi worker with deadlines and a cap on connections; what it serves is a WSGI application."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connections = Connections(0)

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Threads are for the WSGI application, whatever gunicorn's own asgi worker says of them."""

    def init_process(self) -> None:
        """Prepare the process, and serve until it is to stop."""
        self.cfg.set("asgi_lifespan", "off")
        self.cfg.set("http_parser", "python")
        self.connections = Connections(_room_for_connections(self.worker_connections))
        sys.setswitchinterval(_SWITCH_SECONDS)
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application and put the front before it."""
        app = self.app.wsgi()
        max_bytes = getattr(app, "config", {}).get("MAX_CONTENT_LENGTH") or _DEFAULT_MAX_BYTES
        self.asgi = WholeRequests(app, threads=self.cfg.threads, max_bytes=max_bytes)

    async def _serve(self) -> None:
        gasgi.ASGIProtocol = (
            Connection  # the worker makes one of them for each connection, and has no other hook
        )
        sweeping = asyncio.ensure_future(self._sweep())
        try:
            await super()._serve()
        finally:
            sweeping.cancel()

    async def _sweep(self) -> None:
        listening = False
        while True:
            await asyncio.sleep(_SWEEP_SECONDS if listening else 0.01)
            if self.servers and not listening:
                listening = True
                for (
                    sock
                ) in self.sockets:  # asyncio has made it 100: a burst of connections would wait a second
                    sock.sock.listen(self.cfg.backlog)
            self.connections.expire(self.loop.time())

    async def _shutdown(self) -> None:
        for server in self.servers:
            server.close()
        give_up = self.loop.time() + _STOP_SECONDS
        while True:
            self.connections.close_idle()
            if not self.connections.any_arriving or self.loop.time() > give_up:
                break
            await asyncio.sleep(0.02)
        self.connections.close_arriving()
        await super()._shutdown()


def _room_for_connections(wanted: int) -> int:
    """As many as wanted, or as the limit on open files leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _FILES_BESIDE
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    room = wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - _FILES_BESIDE)
    return max(room, 16)
