"""Where a form leads after it was posted."""

from urllib.parse import urlsplit

from fastapi.responses import RedirectResponse

HOME = "/"


def own_path(address: str | None) -> str:
    """The address when it is a path of ours, else the home page: a link may not lead people elsewhere."""
    if not address or not address.startswith("/") or address.startswith(("//", "/\\")):
        return HOME
    if any(ord(symbol) < 0x20 or symbol == "\\" for symbol in address):
        return HOME
    parts = urlsplit(address)
    return HOME if parts.scheme or parts.netloc else address


def see(path: str, done: str | None = None) -> RedirectResponse:
    """Go and look at `path` (a GET), with a code of `api.texts.DONE` that says what was done."""
    mark = "&" if "?" in path else "?"
    return RedirectResponse(path if done is None else f"{path}{mark}done={done}", status_code=303)
