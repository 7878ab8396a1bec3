"""Which paths are excluded."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from dualmetrics.http.path_filter import PathFilter


class Paths(NamedTuple):
    """The settings of a `PathFilter`."""

    prometheus_path: str
    exclude: tuple[str, ...]
    exclude_regex: re.Pattern[str] | None = None


@pytest.mark.parametrize(
    ("path", "excluded"),
    [("/health", True), ("/health/db", False), ("/static/app.js", True), ("/static", False), ("/", False)],
)
def test_exact_paths_and_prefixes(path: str, excluded: bool) -> None:
    assert PathFilter(Paths("/metrics", ("/health", "/static/*"))).excluded(path) is excluded


def test_paths_without_prefixes_are_exact() -> None:
    paths = PathFilter(Paths("/metrics", ("/health",)))
    assert paths.excluded("/health")
    assert not paths.excluded("/health/db")


def test_wsgi_paths_are_bytes_of_utf_8_as_characters() -> None:
    paths = PathFilter(Paths("/über", ("/grün",)), wsgi=True)
    assert paths.page == "/\xc3\xbcber"
    assert paths.excluded("/gr\xc3\xbcn")


def test_a_regular_expression_is_searched_in_the_path() -> None:
    paths = PathFilter(Paths("/metrics", ("/health",), re.compile("^/v[0-9]+/ping$|secret")))
    assert all(map(paths.excluded, ("/health", "/v1/ping", "/a/secret/b")))
    assert not any(map(paths.excluded, ("/v1/ping/", "/ping", "/healthy")))


def test_a_regular_expression_sees_text_on_wsgi_too() -> None:
    paths = PathFilter(Paths("/metrics", (), re.compile("^/gr[üö]n$")), wsgi=True)
    assert paths.excluded("/gr\xc3\xbcn")
    assert not paths.excluded("/gr\xfcn")
