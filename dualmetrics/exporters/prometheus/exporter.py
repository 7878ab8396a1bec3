"""The exporter: a snapshot in, a page out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from dualmetrics.exporters.prometheus.content_negotiation import choose
from dualmetrics.exporters.prometheus.families import FamilyBuilder, PageFamily, Report
from dualmetrics.exporters.prometheus.format_list import Language, languages
from dualmetrics.exporters.prometheus.naming.escaping import DEFAULT
from dualmetrics.exporters.prometheus.naming.labels import Labels
from dualmetrics.exporters.prometheus.naming.translation import (
    UNDERSCORES,
    Translation,
    effective,
    translation,
)
from dualmetrics.exporters.prometheus.series_writer import SeriesWriter
from dualmetrics.model.snapshot import Snapshot

_REMEMBERED = 4
"""Forms whose texts are kept, the newest ones: who asks for every form must not fill the memory."""

CHUNK = 32
"""Pieces in a chunk: the text of a histogram's series takes some 2 KB."""


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered page. The body is ``pieces`` one after the other: many, and shared with other pages."""

    content_type: str
    pieces: list[bytes]

    @property
    def size(self) -> int:
        """The body's length in bytes."""
        return sum(map(len, self.pieces))

    def chunks(self) -> Iterator[bytes]:
        """The body in parts that are worth sending, each made when its turn has come."""
        for at in range(0, len(self.pieces), CHUNK):
            yield b"".join(self.pieces[at : at + CHUNK])


@dataclass(frozen=True, slots=True)
class PageStyle:
    """Names and dialect of a page, and the writer that remembers the latest one."""

    names: Translation
    labels: Labels
    language: Language
    writer: SeriesWriter


class PrometheusExporter:
    """Renders snapshots. Keeps the text of series from page to page; may be used by several threads.

    ``namespace`` is put before every name and ``const_labels`` on every series, ``target_info`` apart.
    For ``scope_labels`` and ``own_scope`` see `Labels`, for ``translation_strategy`` `translation`.
    ``created`` adds ``_created`` samples to OpenMetrics. ``on_conflict`` is told, on every page, what cannot
    stand on it and why.
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
        self._languages = languages(created)
        self._report = on_conflict
        self._forms: dict[tuple[str, str], PageStyle] = {}
        self._form("text", DEFAULT)  # bad labels are refused here

    @staticmethod
    def is_native(accept: str | None) -> bool:
        """Whether the page that ``accept`` likes best can have native histograms."""
        return choose(accept).format.dialect == "protobuf"

    def render(self, snapshot: Snapshot, accept: str | None = None, names: Collection[str] = ()) -> Page:
        """The page in the format that the header value ``accept`` likes best.

        ``names`` are those of families or samples; if there are any, the page has these families only.
        """
        choice = choose(accept)
        form = self._form(choice.format.dialect, effective(self._strategy, choice.scheme))
        families = FamilyBuilder(form.names, self._namespace, form.language.claims, self._report).of(snapshot)
        writer = form.writer
        if names:
            families = [family for family in families if _wanted(family, form.language, names)]
            writer = SeriesWriter(form.language, self._report)  # the other one is to remember the whole page
        return Page(choice.content_type, writer.write(families, form.labels))

    def _form(self, dialect: str, scheme: str) -> PageStyle:
        found = self._forms.get((dialect, scheme))
        if found is None:
            found = self._made(self._languages[dialect], translation(self._strategy, scheme))
            kept = [*self._forms.items()][1 - _REMEMBERED :]  # a new dict: other threads may be looking
            self._forms = {**dict(kept), (dialect, scheme): found}
        return found

    def _made(self, language: Language, names: Translation) -> PageStyle:
        return PageStyle(
            names, Labels(*self._label_rules, names), language, SeriesWriter(language, self._report)
        )


def _wanted(family: PageFamily, language: Language, names: Collection[str]) -> bool:
    return any(name in names for name in (family.name, family.base, *language.claims(family)))
