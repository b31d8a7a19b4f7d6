"""The QR code holds what ODK Collect reads, in the form of a recorded one."""

import base64
import json
import zlib
from typing import Any

from api.collect_qr import collect_settings, qr_png, qr_svg, qr_terminal, qr_text
from tests.central.recorded import exchanges

TOKEN = "k" * 64


def test_qr_code_sets_up_collect() -> None:
    settings = collect_settings("https://ihala.example.org/", TOKEN, "إحالة")
    known = recorded_settings()
    assert set(settings) == set(known)
    assert set(settings["general"]) == set(known["general"])
    assert settings["general"] == {
        "server_url": f"https://ihala.example.org/openrosa/{TOKEN}",
        "form_update_mode": "match_exactly",
        "autosend": "wifi_and_cellular",
    }
    assert json.loads(zlib.decompress(base64.b64decode(qr_text(settings)))) == settings
    assert qr_png(settings).startswith(b"\x89PNG")
    assert qr_svg(settings).startswith("<svg")
    assert "█" in qr_terminal(settings)


def recorded_settings() -> dict[str, Any]:
    whole = exchanges()["collect-settings-qr"]
    assert json.loads(zlib.decompress(base64.b64decode(whole["qr_text"]))) == whole["settings"]
    settings: dict[str, Any] = whole["settings"]
    return settings
