"""Django REST framework: 401 for a stranger, 403 for a user without the permission."""

from rest_framework.permissions import IsAdminUser
from rest_framework.response import Response
from rest_framework.views import APIView


class Orders(APIView):
    """Needs a session or a token; a change by session needs the CSRF token too."""

    def get(self, request):
        return Response({"user": request.user.username, "orders": [1, 2]})

    def post(self, request):
        return Response({"user": request.user.username, "ordered": request.data}, status=201)


class Reports(APIView):
    """Needs an administrator."""

    permission_classes = [IsAdminUser]

    def get(self, request):
        return Response({"turnover": 42})
