"""Programs that become daemons: the process that configured the library has ended, and the group goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs import run_python

pytestmark = pytest.mark.server

DAEMON = """
import os, sys, time
from dualmetrics import configure

telemetry = configure()
jobs = telemetry.meter("daemon").create_counter("jobs")
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)

def run(work):
    pid = os.fork()
    if pid == 0:
        work()
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(pid, 0)

def show():
    families = {family.descriptor.name: family for family in telemetry.snapshot().families}
    print(int(families["jobs"].points[0].cells[0]))

for _ in range(3):
    run(lambda: jobs.add(1))
    if sys.argv[1] == "other servers start":
        import subprocess
        code = "import dualmetrics; dualmetrics.configure().meter('x').create_counter('y').add(1)"
        subprocess.run([sys.executable, "-c", code], check=True)
run(show)
"""


@pytest.mark.parametrize("meanwhile", ["nothing", "other servers start"])
def test_a_daemon_whose_workers_live_one_at_a_time_counts_all_of_them(meanwhile: str) -> None:
    assert run_python(DAEMON, meanwhile).stdout == "3\n"


def test_the_group_of_a_daemon_that_has_ended_is_removed_by_the_next_server() -> None:
    show = "\nrun(lambda: print(telemetry._components.store.membership().directory.path))"
    path = Path(run_python(DAEMON + show, "nothing").stdout.splitlines()[-1])
    run_python("import dualmetrics; dualmetrics.configure().meter('x').create_counter('y').add(1)")
    assert not path.parent.exists()
