"""The Django project of the server tests; as a program it is its ``manage.py``."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

ALLOWED_HOSTS = ["*"]
DEBUG = True  # `runserver` refuses to work without it or ALLOWED_HOSTS; the technical error page is in use
INSTALLED_APPS = ["django.contrib.staticfiles"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = __name__
SECRET_KEY = "tests"
STATIC_URL = "/static/"
USE_TZ = True
WSGI_APPLICATION = "tests.servers.frameworks.django_wsgi.app"


def work(request: HttpRequest, number: int) -> HttpResponse:
    """Answer with the worker's pid."""
    return HttpResponse(str(os.getpid()))


urlpatterns = [path("work/", include([path("<int:number>", work)]))]

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.servers.frameworks.django_site"
    execute_from_command_line(sys.argv)
