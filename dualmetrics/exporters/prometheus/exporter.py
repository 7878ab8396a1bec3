"""Renders snapshots as pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from dualmetrics.exporters.prometheus.content_negotiation import DEFAULT_CHOICE, Choice
from dualmetrics.exporters.prometheus.families import FamilyBuilder, PageFamily, Report
from dualmetrics.exporters.prometheus.formats import dialects
from dualmetrics.exporters.prometheus.naming.escaping import DEFAULT_SCHEME
from dualmetrics.exporters.prometheus.naming.labels import LabelBuilder
from dualmetrics.exporters.prometheus.naming.translation import (
    UNDERSCORES,
    Translation,
    effective_scheme,
    translation_for,
)
from dualmetrics.exporters.prometheus.series_writer import Dialect, SeriesWriter
from dualmetrics.model.snapshot import Snapshot

_MAX_STYLES = 4
"""How many styles keep their text. The oldest is dropped, so that scrapers cannot fill the memory."""


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered page. The body is the concatenation of ``pieces``, which are shared with other pages."""

    content_type: str
    pieces: list[bytes]


@dataclass(frozen=True, slots=True)
class PageStyle:
    """The names and the dialect of pages, and the writer that remembers the text of the latest one."""

    names: Translation
    labels: LabelBuilder
    dialect: Dialect
    writer: SeriesWriter


class PrometheusExporter:
    """Renders snapshots. Keeps the text of series from page to page. Several threads may use it at once.

    ``namespace`` prefixes every name, and ``const_labels`` are added to every series except ``target_info``.
    For ``scope_labels`` and ``own_scope`` see `LabelBuilder`, for ``translation_strategy`` `translation_for`.
    ``created`` adds ``_created`` samples to OpenMetrics. ``on_conflict`` is called for each page with what
    was left out and why. Raises ValueError for an unknown value of ``scope_labels``.
    """

    def __init__(
        self,
        *,
        namespace: str = "",
        const_labels: Mapping[str, str] | None = None,
        scope_labels: str = "own",
        own_scope: str = "dualmetrics",
        translation_strategy: str = UNDERSCORES,
        created: bool = False,
        on_conflict: Report = lambda message: None,
    ) -> None:
        self._namespace = namespace
        self._label_rules = const_labels or {}, scope_labels, own_scope
        self._strategy = translation_strategy
        self._dialects = dialects(created)
        self._report = on_conflict
        self._styles: dict[tuple[str, str], PageStyle] = {}
        self._style("text", DEFAULT_SCHEME)  # refuses an unknown scope_labels

    def render(
        self, snapshot: Snapshot, choice: Choice = DEFAULT_CHOICE, names: Collection[str] = ()
    ) -> Page:
        """The page in the format that was negotiated.

        ``names`` are names of families or samples. If there are any, the page has only these families.
        """
        style = self._style(choice.format.dialect, effective_scheme(self._strategy, choice.scheme))
        builder = FamilyBuilder(style.names, self._namespace, style.dialect.claims, self._report)
        families, writer = builder.build(snapshot), style.writer
        if names:
            families = [family for family in families if _is_requested(family, style.dialect, names)]
            writer = SeriesWriter(style.dialect, self._report)  # the style's own remembers the whole page
        return Page(choice.content_type, writer.write(families, style.labels))

    def _style(self, dialect: str, scheme: str) -> PageStyle:
        style = self._styles.get((dialect, scheme))
        if style is None:
            style = self._new_style(self._dialects[dialect], translation_for(self._strategy, scheme))
            newest = [*self._styles.items()][1 - _MAX_STYLES :]
            # A new dict, because other threads may be reading the old one.
            self._styles = {**dict(newest), (dialect, scheme): style}
        return style

    def _new_style(self, dialect: Dialect, names: Translation) -> PageStyle:
        labels = LabelBuilder(*self._label_rules, names)
        return PageStyle(names, labels, dialect, SeriesWriter(dialect, self._report))


def _is_requested(family: PageFamily, dialect: Dialect, names: Collection[str]) -> bool:
    return any(name in names for name in (family.name, family.base, *dialect.claims(family)))
