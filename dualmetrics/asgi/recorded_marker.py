"""The marker of what is recorded on ASGI: a request or a websocket. It names the route."""

from __future__ import annotations

from dualmetrics.asgi.types import CachingRouteNamer
from dualmetrics.http.marker import RequestMarker, full_template
from dualmetrics.http.request_recorder import RequestRecorder


class RecordedMarker(RequestMarker):
    """A marker whose route is that of the namer, with the mounts that the namer does not know."""

    __slots__ = ("_recorder",)

    is_recorded = True

    namer: CachingRouteNamer
    _recorder: RequestRecorder

    def template(self) -> str | None:
        """The template of the route, as far as it is known."""
        try:
            if self.inner is not None:
                template = full_template(self, self.namer(self.seen, self.path))
            elif self.route is not None:
                template = self.route
            else:
                template = self.namer(self.seen, self.path)
            return template if template is None or not self.root else self._mounted_outside() + template
        except Exception as failure:
            self._recorder.errors.error("naming a route", failure)
            return None

    def _mounted_outside(self) -> str:
        """The prefix of mounts outside of the middleware, unless the namer knows them."""
        knows_mounts = self.route is None and getattr(self.namer, "knows_outer_mounts", False)
        root = self.seen.get("app_root_path", self.root) if knows_mounts else self.root
        return self.mounts.shown(self.mounts.beyond_setting(root))
