"""Settings of a project whose views write their CORS headers themselves."""

from shop.settings import *  # noqa: F403

ROOT_URLCONF = "shop.by_hand"
WSGI_APPLICATION = "shop.by_hand.application"
