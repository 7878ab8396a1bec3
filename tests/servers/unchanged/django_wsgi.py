"""``wsgi.py`` of the Django project."""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.servers.unchanged.django_site"
app = get_wsgi_application()
