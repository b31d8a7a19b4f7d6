"""What ODK Collect is answered: OpenRosa's XML, in Arabic and English (a tablet tells no language).

Collect shows the text of a refusal to the officer as it is, so each says what happened and what to do.
"""

from collections.abc import Iterable, Mapping
from xml.sax.saxutils import escape

from fastapi.responses import Response

from xlsforms.compile import CompiledForm

MAX_BODY_BYTES = 20_000_000
"""Largest post. Collect spreads the files of a submission over several posts to stay below it."""

OPENROSA_HEADERS = {
    "X-OpenRosa-Version": "1.0",
    "X-OpenRosa-Accept-Content-Length": str(MAX_BODY_BYTES),
    "Cache-Control": "no-store",
}

XML_TYPE = "text/xml; charset=utf-8"

MESSAGES: Mapping[str, tuple[int, str, str]] = {
    "created": (201, "تم الاستلام.", "Received."),
    "repeated": (201, "تم الاستلام سابقًا، ولم يتغير شيء.", "Received before; nothing changed."),
    "quarantined": (
        202,
        "تم الاستلام والحفظ، ويراجعها المنسّق لأن هذه النسخة من الاستمارة غير معروفة هنا. حدّث الاستمارات.",
        "Received and kept for the coordinator, because this form or version is not known here. "
        "Update the forms.",
    ),
    "other_bytes": (
        409,
        "سبق استلام استمارة بالرقم نفسه ومحتوى مختلف. لا تحذفها من الجهاز، واتصل بالمنسّق.",
        "A form with the same id but different content was received before. "
        "Keep it on the tablet and call the coordinator.",
    ),
    "edit_outdated": (
        409,
        "سبق تعديل هذه الاستمارة من نسخة أحدث. لا تحذفها من الجهاز، واتصل بالمنسّق.",
        "This form was edited from a newer copy before. Keep it on the tablet and call the coordinator.",
    ),
    "edit_unknown": (
        409,
        "الاستمارة التي جرى تعديلها لم تصل إلى هنا. أرسل الأصل أولًا، أو اتصل بالمنسّق.",
        "The form that was edited has not arrived here. Send the original first, or call the coordinator.",
    ),
    "malformed": (
        400,
        "ملف الاستمارة تالف أو ناقص فلم يُقبل. لا تحذفها من الجهاز؛ أرسلها مرة أخرى، أو اتصل بالمنسّق.",
        "The form's file is broken or cut off and was not accepted. "
        "Keep it on the tablet; send it again or call the coordinator.",
    ),
    "missing_part": (
        400,
        "الطلب لا يحتوي على ملف الاستمارة.",
        "Required multipart POST field xml_submission_file missing.",
    ),
    "missing_header": (
        400,
        "ينقص الطلب عنوان X-OpenRosa-Version.",
        "An expected header field (X-OpenRosa-Version) did not match the expected format.",
    ),
    "too_large": (
        413,
        "حجم المرفقات أكبر مما يُقبل. استخدم صورًا أصغر.",
        "The files are larger than accepted. Use smaller pictures.",
    ),
    "bad_token": (
        401,
        "إعداد هذا الجهاز غير صحيح. امسح رمز QR من جديد.",
        "This tablet is not set up correctly. Scan its QR code again.",
    ),
    "unknown_tablet": (
        403,
        "هذا الجهاز غير مسجل أو أُلغي تسجيله. اتصل بالمنسّق.",
        "This tablet is not registered, or no longer. Call the coordinator.",
    ),
    "unavailable": (
        503,
        "الخادم غير جاهز الآن ولم يُحفظ شيء. لا تحذف الاستمارة من الجهاز؛ أرسلها مرة أخرى بعد قليل.",
        "The server is not ready and nothing was stored. Keep the form on the tablet and send it again soon.",
    ),
    "not_found": (404, "هذا غير موجود هنا. حدّث الاستمارات.", "This is not here. Update the forms."),
}
"""Code -> HTTP status, Arabic, English."""


class Refused(Exception):  # noqa: N818  an answer that ends the request, not an error of ours
    """A post or request that is refused with one of MESSAGES."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def message(code: str) -> Response:
    """Answer with a message; its status is the table's."""
    status, arabic, english = MESSAGES[code]
    nature = "" if status < 300 else "error"
    text = escape(f"{arabic} / {english}")
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<OpenRosaResponse xmlns="http://openrosa.org/http/response" items="0">\n'
        f'  <message nature="{nature}">{text}</message>\n'
        "</OpenRosaResponse>"
    )
    return xml_answer(xml, status)


def xml_answer(xml: str, status: int = 200) -> Response:
    """Answer with XML and the headers that Collect expects on everything."""
    return Response(xml, status, OPENROSA_HEADERS, media_type=XML_TYPE)


def form_list(forms: Iterable[CompiledForm], hashes: Mapping[str, str], base_url: str) -> str:
    """List the forms; `hashes` maps form id to the md5 of its XML, `base_url` ends with the token."""
    items = "".join(
        "  <xform>\n"
        f"    <formID>{escape(form.form_id)}</formID>\n"
        f"    <name>{escape(form.title)}</name>\n"
        f"    <version>{escape(form.version)}</version>\n"
        f"    <hash>md5:{hashes[form.form_id]}</hash>\n"
        f"    <downloadUrl>{escape(base_url)}/forms/{escape(form.form_id)}.xml</downloadUrl>\n"
        + (
            f"    <manifestUrl>{escape(base_url)}/forms/{escape(form.form_id)}/manifest</manifestUrl>\n"
            if form.media
            else ""
        )
        + "  </xform>\n"
        for form in forms
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<xforms xmlns="http://openrosa.org/xforms/xformsList">\n{items}</xforms>'
    )


def manifest(media: Iterable[tuple[str, str]], media_url: str) -> str:
    """List a form's media: (file name, md5). `media_url` is the folder that they are fetched from."""
    items = "".join(
        "  <mediaFile>\n"
        f"    <filename>{escape(name)}</filename>\n"
        f"    <hash>md5:{digest}</hash>\n"
        f"    <downloadUrl>{escape(media_url)}/{escape(name)}</downloadUrl>\n"
        "  </mediaFile>\n"
        for name, digest in media
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<manifest xmlns="http://openrosa.org/xforms/xformsManifest">\n{items}</manifest>'
    )
