"""The gunicorn worker in front of the Flask application: an event loop receives whole requests, threads answer them.

`gunicorn --worker-class app.front.FrontWorker 'trading_bot:create_app()'` uses it, and so does the web server that
`trading_bot.py` starts.
"""

import asyncio
import resource
import sys
from typing import Any

from gunicorn.workers import gasgi

from app.alert_door import ALERTS
from app.connections import Connection, Connections
from app.wsgi_handoff import WholeRequests

_DEFAULT_MAX_BYTES = 262_144
_SWEEP_SECONDS = 0.25
_STOP_SECONDS = 1.0
"""How long a request that is incomplete at a stop may take to become complete."""
_FILES_BESIDE = 256
"""Open files kept free for everything else than connections: databases, locks, logs."""
_SWITCH_SECONDS = 0.001
"""How long a thread may keep the interpreter from the event loop. The default of 5 ms would delay every alert."""


class FrontWorker(gasgi.ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's asgi worker with deadlines and a cap on connections; it serves a WSGI application."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connections = Connections(0)

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Skip the asgi worker's check of `threads`: here they serve the WSGI application."""

    def init_process(self) -> None:
        """Prepare the process, and serve until it has to stop."""
        self.cfg.set("asgi_lifespan", "off")
        self.cfg.set("http_parser", "python")
        self.connections = Connections(_room_for_connections(self.worker_connections))
        sys.setswitchinterval(_SWITCH_SECONDS)
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application and wrap it, so that it gets whole requests only."""
        app = self.app.wsgi()
        max_bytes = getattr(app, "config", {}).get("MAX_CONTENT_LENGTH") or _DEFAULT_MAX_BYTES
        alerts = getattr(app, "extensions", {}).get(ALERTS)
        self.asgi = WholeRequests(app, threads=self.cfg.threads, max_bytes=max_bytes, alerts=alerts)

    async def _serve(self) -> None:
        # The worker creates one of these for each connection, and has no other hook.
        gasgi.ASGIProtocol = Connection
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
                # asyncio has set a backlog of 100, with which a burst of connections would wait a second.
                for sock in self.sockets:
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
    """The number of connections to accept: as many as wanted, or as the limit on open files allows, but at least 16.

    Raises the soft limit of this process as far as needed and possible.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _FILES_BESIDE
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    room = wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - _FILES_BESIDE)
    return max(room, 16)
