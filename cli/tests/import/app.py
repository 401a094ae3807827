from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

ORIGINS = ["https://app.example", "https://admin.example/"]


def create_app():
    app = FastAPI()
    app.add_middleware(
        CORSMiddleware,
        allow_origins=ORIGINS,
        allow_origin_regex=r"https://[a-z0-9-]+\.preview\.example",
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
    )
    return app
