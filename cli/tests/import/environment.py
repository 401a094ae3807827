import environ

env = environ.Env()

CORS_ALLOWED_ORIGINS = env.list("CORS_ORIGINS")
CORS_ALLOW_CREDENTIALS = env.bool("CORS_CREDENTIALS", default=False)
