"""Python imports this at its start, because ``dualmetrics run`` puts its folder first on PYTHONPATH.

Then it runs the ``sitecustomize`` that Python would have imported without it.
"""

import importlib.machinery
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def activate_frameworks() -> None:
    """Have the apps of this process record."""
    try:
        from dualmetrics_zero_code.activation import activate_enabled
    except ImportError:
        sys.stderr.write(
            f"dualmetrics run: dualmetrics is not installed for {sys.executable}, which records nothing\n"
        )
    else:
        activate_enabled()


def run_next() -> None:
    """Run the next ``sitecustomize`` on the path, in the place of this one."""
    path = [entry for entry in sys.path if os.path.abspath(entry) != HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


activate_frameworks()
run_next()
