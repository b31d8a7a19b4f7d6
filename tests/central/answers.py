"""Answers in JSON as Central sends them."""

from fastapi.responses import JSONResponse


class Json(JSONResponse):
    """JSON that says its character set."""

    media_type = "application/json; charset=utf-8"
