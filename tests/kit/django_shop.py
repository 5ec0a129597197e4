"""A site in Django for tests: its settings are the process's, so there is one."""

from __future__ import annotations

import os

import django
from django.conf import settings

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["testserver", "shop.example"],
        DEBUG_PROPAGATE_EXCEPTIONS=False,
        LOGGING_CONFIG=None,
        MIDDLEWARE=["target.integrations.django.TargetMiddleware"],
        ROOT_URLCONF="tests.unit.integrations.django_urls",
        SECRET_KEY=os.urandom(16).hex(),
        TARGET={"client": "acme", "organization_id": "1234@AdobeOrg"},
    )
    django.setup()
