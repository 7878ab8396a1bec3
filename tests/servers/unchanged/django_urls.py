"""The views of the Django project."""

from __future__ import annotations

import os
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.views import APIView


class Things(APIView):  # type: ignore[misc]  # REST framework has no types
    """A view of REST framework."""

    def get(self, request: Any, number: int) -> Any:
        """Answer with JSON, or with the browsable API."""
        return Response({"number": number})


def work(request: HttpRequest, number: int) -> HttpResponse:
    """Answer with the worker's pid."""
    return HttpResponse(str(os.getpid()))


urlpatterns = [
    path("work/", include([path("<int:number>", work)])),
    path("api/", include([path("things/<int:number>/", Things.as_view())])),
    path("admin/", admin.site.urls),
]
