"""``wsgi.py`` of the Django project."""

import os

from django.core.wsgi import get_wsgi_application

from dualmetrics_django.wsgi import DualMetrics

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.servers.frameworks.django_site"
app = DualMetrics(get_wsgi_application())
