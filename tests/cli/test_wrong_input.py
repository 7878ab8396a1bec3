"""Whatever is typed: the command line answers with a sentence and a status of its own, and no traceback."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dualmetrics.cli.commands import dualmetrics_command
from tests.experiments.exporters import Exporter, serving

STATUSES = {0, 2, 3, 4, 5}
"""Without 1, the verdict FAIL, and 70, an unexpected error."""

NASTY = [
    *("", " ", "0", "1", "-1", "1e400", "nan", "inf", "-inf", "9" * 400, "1e-320", "70000", "4318", "1e300"),
    *("50%", "nan%", ".5", "50:50", "1:0", "0:0", "1e9:1"),
    *("3s", "0s", "\N{ARABIC-INDIC DIGIT THREE}s", "9" * 30 + "w", "10m"),
    *("2030-01-31", "9999-12-31T23:59:59+00:00", "0001-01-01", "-1e18"),
    *("$\\frac$", "$", "_x", "[/a-z]+", "[bold]x[/]", ":warning:", "\N{PILE OF POO}: x", "x" * 5000),
    *("\x1b[31mred", "a\nb", "a\r\nb: c", "\u202egnp", "\udcff"),
    *("..", ".", "/", "a/b", "shop", "no url", "-", "--"),
    *("5(", "(?P<x", "[[a]", "a{99999999999}", "(" * 200),
    *("NAME:VALUE", ":", "text", "json", "html", "route", "fail"),
    *("127.0.0.1:1", "http://", "http://[", "http://127.0.0.1:99999", "http://127.0.0.1:1/\x00"),
    *("http://a b/", "file:///etc/passwd", "unix:/x"),
]


def leaf_commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from leaf_commands(found, (*path, name))
    else:
        yield path


COMMANDS = sorted(set(leaf_commands(dualmetrics_command)) - {("run",)})
"""All but the one that becomes another program, whose status is then that of the program."""

SAFE_ENDINGS: dict[tuple[str, ...], list[str]] = {
    ("compare",): ["--watch", "0s"],  # else it watches pages for ten minutes
    ("demo",): ["--endpoint", "http://127.0.0.1:1"],  # nothing listens there, so no servers are started
    ("receive",): ["--host", "127.0.0.1", "--grpc-port", "0", "--http-port", "{busy}"],  # else it waits
}
"""The last of an option's values counts. With these the commands end soon, and start nothing."""


def find(path: tuple[str, ...]) -> click.Command:
    command: click.Command = dualmetrics_command
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    return command


GOOD = {
    "duration": ["0s", "1s", "10m", "24h", "7d"],
    "share": ["0.1%", ".05", "5%", "80%", "1e-9", ".999"],
    "split": ["50:50", "95:5", "1:999"],
    "time": ["0", "1700000000", "2030-01-31T12:00:00", "2030-01-31T12:00:00+02:00"],
    "float": ["1", "0.5", "1e6", "1e-6"],
    "integer range": ["1", "9090"],
    "path": ["report.html", ".", "shop"],
    "file": ["report.html"],
    "directory": [".", "shop"],
    "url": ["http://127.0.0.1:1"],
    "text": ["shop", "baseline", "candidate", "5..", "http_requests_total", "http_route", "a: b"],
}
"""Values that are accepted, by the name of the option's type."""

PAGES = ["--pages", "{page}", "{page}", "--watch", "0s"]
"""Two metrics pages that exist, read once: arguments with which a comparison comes to a verdict."""

nasty_values = st.sampled_from(NASTY) | st.text(max_size=12).filter(lambda text: "//" not in text)


def values_of(parameter: click.Parameter) -> st.SearchStrategy[str]:
    """Values of an option that are likely to be accepted, and others."""
    type_ = parameter.type
    good = list(type_.choices) if isinstance(type_, click.Choice) else GOOD[type_.name]
    return st.sampled_from([*good, *good, *NASTY]) | nasty_values


def words_of(parameter: click.Parameter) -> st.SearchStrategy[list[str]]:
    """The words of an option with its values, or of an argument."""
    if not isinstance(parameter, click.Option):
        return st.lists(values_of(parameter), min_size=int(parameter.required), max_size=2)
    if parameter.is_flag:
        return st.sampled_from(parameter.opts).map(lambda name: [name])
    values = st.lists(values_of(parameter), min_size=parameter.nargs, max_size=parameter.nargs)
    return st.tuples(st.sampled_from(parameter.opts), values).map(lambda words: [words[0], *words[1]])


def command_lines(path: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    """The words after the command: all that it requires, and up to five more options."""
    parameters = find(path).params
    options = st.one_of([*map(words_of, parameters), nasty_values.map(lambda value: [value])])
    required = [words_of(each) for each in parameters if each.required]
    pages = st.sampled_from([PAGES, []]) if path == ("compare",) else st.just([])
    groups = st.tuples(*required, pages, st.lists(options, max_size=5).map(joined))
    return groups.map(joined)


def joined(groups: Iterable[list[str]]) -> list[str]:
    return list(chain.from_iterable(groups))


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    """The URL of a metrics page."""
    with serving(Exporter()) as address:
        yield f"http://{address}/metrics"


@pytest.fixture(scope="module")
def busy() -> Iterator[str]:
    """A port that is taken."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield str(listener.getsockname()[1])


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_command_line_ends_with_a_sentence_and_no_verdict(
    path: tuple[str, ...],
    data: st.DataObject,
    busy: str,
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    drawn = [*path, *data.draw(command_lines(path)), *SAFE_ENDINGS.get(path, [])]
    arguments = [{"{page}": page, "{busy}": busy}.get(word, word) for word in drawn]
    result = CliRunner().invoke(dualmetrics_command, arguments)
    statuses = STATUSES | {1} if "fail" in arguments else STATUSES  # `--inconclusive fail`
    assert result.exit_code in statuses, (arguments, result.output)
    assert isinstance(result.exception, SystemExit) or result.exception is None, (arguments, result.exception)
    assert "Traceback" not in result.output
    assert "bug" not in result.output
    assert all(each.isprintable() or each == "\n" for each in result.output), (arguments, result.output)
