"""An app of Flask; as a program it serves itself on the port."""

import os
import sys

from flask import Flask

app = Flask(__name__)


@app.get("/work/<int:number>")
def work(number: int) -> str:
    """Answer with the worker's pid."""
    return str(os.getpid())


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]))
