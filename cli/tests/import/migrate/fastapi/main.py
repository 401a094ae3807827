import os

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

ORIGINS = ["https://shop.example", "https://admin.shop.example/"]

app = FastAPI()
app.add_middleware(
    CORSMiddleware,
    allow_origins=ORIGINS + os.environ.get("EXTRA_ORIGINS", "").split(","),
    allow_origin_regex=r"https://.*\.preview\.shop\.example",
    allow_credentials=True,
    allow_methods=["*"],
    allow_headers=["*"],
)
