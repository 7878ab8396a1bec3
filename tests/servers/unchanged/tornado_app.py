"""An application of Tornado that forks four workers. Takes the port."""

import asyncio
import os
import sys

from tornado import process, web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets


class Work(web.RequestHandler):
    """Answers with the worker's pid."""

    def get(self, number: str) -> None:
        """Answer with the worker's pid."""
        self.write(str(os.getpid()))


async def serve(sockets: list[object]) -> None:
    """Serve until the process is killed."""
    server = HTTPServer(web.Application([(r"/work/(?P<number>[0-9]+)", Work)]))
    server.add_sockets(sockets)  # type: ignore[arg-type]  # they are sockets
    await asyncio.Event().wait()


if __name__ == "__main__":
    sockets = bind_sockets(int(sys.argv[1]), "127.0.0.1")
    process.fork_processes(4)
    asyncio.run(serve(list(sockets)))
