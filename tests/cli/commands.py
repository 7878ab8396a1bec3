"""The command line in a process of its own, with its output in a pipe or on a terminal."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests import peers
from tests.waiting import wait_until

DUALMETRICS = [sys.executable, "-c", "from dualmetrics.cli import main; main()"]
COLORS = re.compile(r"\x1b\[[0-9;]*m")


class RunningCommand:
    """A command that runs until it is stopped, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[bytes], output: int) -> None:
        self.process = process
        self._printed = bytearray()
        self._thread = threading.Thread(target=self._read, args=(output,))
        self._thread.start()

    @property
    def output(self) -> str:
        """Everything that it has printed, without colors."""
        text = self._printed.decode(errors="surrogateescape").replace("\r\n", "\n")
        return COLORS.sub("", text)

    def wait_for(self, pattern: str, timeout: float = 30) -> re.Match[str]:
        """Wait until the output has the pattern."""
        wait_until(lambda: re.search(pattern, self.output), timeout, pattern, details=lambda: self.output)
        match = re.search(pattern, self.output)
        assert match is not None
        return match

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal, and return the exit status."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> int:
        """Wait for the end, and return the exit status."""
        status = self.process.wait(20)
        self._thread.join(20)
        return status

    def _read(self, output: int) -> None:
        with suppress(OSError):  # so ends a terminal
            while data := os.read(output, 65536):
                self._printed += data
        os.close(output)


@contextmanager
def running(*arguments: str, columns: int | None = None, **env: str) -> Iterator[RunningCommand]:
    """Run a command during the block: on a terminal of so many columns, or in a pipe."""
    output, other_end = os.pipe() if columns is None else peers.open_terminal()
    if columns is not None:
        fcntl.ioctl(other_end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    plain = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [*DUALMETRICS, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=other_end,
        stderr=other_end,
        env={**plain, "TERM": "xterm", **env},
    )
    os.close(other_end)
    command = RunningCommand(process, output)
    try:
        yield command
    finally:
        process.kill()
        command.end()


@contextmanager
def receiving(*arguments: str, columns: int | None = None, **env: str) -> Iterator[RunningCommand]:
    """Run `dualmetrics receive` on free ports, unless others are given, and wait until it listens."""
    ports = ("--grpc-port", "0", "--http-port", "0")
    with running("receive", *ports, *arguments, columns=columns, **env) as command:
        command.wait_for("Ctrl-C")
        yield command


def http_endpoint(command: RunningCommand) -> str:
    """The endpoint for HTTP of a running `dualmetrics receive`."""
    return command.wait_for(r"HTTP on (http://\S+);")[1]


def grpc_endpoint(command: RunningCommand) -> str:
    """The endpoint for gRPC of a running `dualmetrics receive`."""
    return command.wait_for(r"gRPC on (http://\S+),")[1]
