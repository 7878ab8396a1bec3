"""The Tornado application, which forks four workers as its documentation shows. Takes the port."""

import asyncio
import os
import signal
import sys

from tornado import process, web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from dualmetrics_tornado import DualMetrics


class Work(web.RequestHandler):
    """Answers with the worker's pid."""

    def get(self, number: str) -> None:
        """Answer with the worker's pid."""
        self.write(str(os.getpid()))


app = web.Application([(r"/work/(?P<number>[0-9]+)", Work)])
DualMetrics(app)


async def serve(sockets: list[object]) -> None:
    """Serve until SIGTERM, so that the interpreter ends as usual."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = HTTPServer(app)
    server.add_sockets(sockets)  # type: ignore[arg-type]  # they are sockets
    await ended.wait()


def end_workers(*_: object) -> None:
    """End the workers, which Tornado leaves to whoever runs it, and then this process."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    sys.exit()


if __name__ == "__main__":
    sockets = bind_sockets(int(sys.argv[1]), "127.0.0.1")
    signal.signal(signal.SIGTERM, end_workers)
    process.fork_processes(4)
    asyncio.run(serve(list(sockets)))
