"""``asgi.py`` of the Django project."""

import os

from django.core.asgi import get_asgi_application

from dualmetrics_django.asgi import DualMetrics

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.servers.frameworks.django_site"
app = DualMetrics(get_asgi_application())
