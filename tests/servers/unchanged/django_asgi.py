"""``asgi.py`` of the Django project."""

import os

from django.core.asgi import get_asgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.servers.unchanged.django_site"
app = get_asgi_application()
