"""`python3 -m django seed`: the tables, a user, and a token of that user."""

from django.contrib.auth.models import User
from django.core.management import BaseCommand, call_command
from rest_framework.authtoken.models import Token


class Command(BaseCommand):
    """Run once, when the image is built."""

    def handle(self, *args, **options):
        call_command("migrate", verbosity=0)
        user = User.objects.create_user("alice", password="wonderland")
        Token.objects.create(user=user, key="token-of-alice")
