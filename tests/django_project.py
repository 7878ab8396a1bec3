"""Settings for the tests of Django, which has one configuration for the whole process."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings


def use_django(*patterns: Any, **others: Any) -> None:
    """Configure Django once, and from now on serve these URL patterns."""
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
            LOGGING_CONFIG=None,
            MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
            SECRET_KEY="tests",
            USE_TZ=True,
        )
        django.setup()
    settings.ROOT_URLCONF = patterns
