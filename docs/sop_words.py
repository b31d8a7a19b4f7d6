"""The handbook's own words in Arabic and English: headings, conditions, and the rules behind the table."""

from collections.abc import Mapping, Sequence

from governorates import Names
from referral_engine.sop import Guard

WORDS: Mapping[str, Names] = {
    "title": {"en": "Standard operating procedures of the referral", "ar": "إجراءات العمل القياسية للإحالة"},
    "generated": {
        "en": "Written by make handbook from the tables that the system runs on; do not edit.",
        "ar": "يُكتب هذا الدليل آلياً من الجداول التي يعمل بها النظام (make handbook)؛ لا تُعدّله يدوياً.",
    },
    "introduction": {
        "en": "Every step below is enforced by the system: what is not in these tables cannot be done, and what is "
        "done is recorded. Times marked *project default* may be changed by the ministry.",
        "ar": "كل خطوة أدناه يفرضها النظام: ما ليس في هذه الجداول لا يمكن القيام به، وكل ما يتم يُسجَّل. "
        "المدد المشار إليها بأنها *project default* يجوز للوزارة تغييرها.",
    },
    "rules": {"en": "Rules", "ar": "القواعد"},
    "states_title": {"en": "States of a referral", "ar": "مراحل الإحالة"},
    "moves": {"en": "Steps", "ar": "الخطوات"},
    "reasons": {"en": "Reasons", "ar": "الأسباب"},
    "mandates": {"en": "Which ministry decides", "ar": "الوزارة صاحبة القرار"},
    "state": {"en": "State", "ar": "المرحلة"},
    "next": {"en": "Who acts next", "ar": "من عليه الخطوة التالية"},
    "clock_emergency": {"en": "Emergency", "ar": "طارئ"},
    "clock_urgent": {"en": "Urgent", "ar": "عاجل"},
    "clock_normal": {"en": "Normal", "ar": "اعتيادي"},
    "breach": {"en": "When the time runs out", "ar": "عند انتهاء المدة"},
    "slot": {"en": "Slot", "ar": "المكان"},
    "source": {"en": "Source, or what becomes of the need", "ar": "المصدر، أو مصير الاحتياج"},
    "number": {"en": "No.", "ar": "الرقم"},
    "move": {"en": "Step", "ar": "الخطوة"},
    "from": {"en": "From", "ar": "من"},
    "to": {"en": "To", "ar": "إلى"},
    "who": {"en": "Who", "ar": "من يقوم بها"},
    "condition": {"en": "Condition", "ar": "الشرط"},
    "final": {"en": "final", "ar": "نهائية"},
    "same": {"en": "stays as it is", "ar": "تبقى كما هي"},
    "new": {"en": "new", "ar": "جديدة"},
    "reason": {"en": "a reason from", "ar": "سبب من القائمة"},
    "text": {"en": "words besides", "ar": "مع توضيح بالكلمات"},
    "no_text": {"en": "not for", "ar": "عدا"},
    "text_for": {"en": "words besides for", "ar": "مع توضيح بالكلمات عند"},
    "by_system": {"en": "only the system", "ar": "يكتبه النظام وحده"},
    "after": {"en": "after", "ar": "بعد"},
    "category": {"en": "Category of service", "ar": "فئة الخدمة"},
    "ministry": {"en": "Ministry", "ar": "الوزارة"},
}

HOURS: Mapping[str, Names] = {
    "hours": {"en": "h", "ar": "ساعة"},
    "days": {"en": "days", "ar": "أيام"},
    "working": {"en": " (working)", "ar": " (عمل)"},
}

BREACHES: Mapping[str, Names] = {
    "remind": {"en": "a reminder, then told to", "ar": "تذكير، ثم إبلاغ"},
    "escalate": {"en": "told to", "ar": "إبلاغ"},
    "reroute": {"en": "the next-best provider is reserved", "ar": "يُحجز لدى مقدّم الخدمة التالي"},
    "monitor": {"en": "asked after, no breach", "ar": "يُسأل عنها، وليس تجاوزاً"},
    "expire": {"en": "expires, the slot is free", "ar": "تنتهي ويُحرَّر المكان"},
}

SLOTS: Mapping[str, Names] = {
    "held": {"en": "held", "ar": "محجوز"},
    "free": {"en": "none", "ar": "لا يوجد"},
}

NEEDS: Mapping[str, Names] = {
    "served": {"en": "the need is served", "ar": "لُبّي الاحتياج"},
    "open": {"en": "the need is matched again", "ar": "يُبحث للاحتياج عن مقدّم خدمة آخر"},
}

GUARDS: Mapping[Guard, Names] = {
    Guard.SLOT_RESERVED: {"en": "a slot is free and reserved", "ar": "وجود مكان شاغر محجوز"},
    Guard.NOT_HELD: {"en": "not on hold", "ar": "غير معلّقة"},
    Guard.HELD: {"en": "on hold", "ar": "معلّقة"},
    Guard.CONSENT_TO_RECIPIENT: {
        "en": "the person heard the provider's name and the exact fields, and agreed",
        "ar": "سمع الشخص اسم مقدّم الخدمة والمعلومات التي ستُرسل بالتحديد ووافق",
    },
    Guard.CONSENT_TO_ANSWER: {
        "en": "the person agreed to the answer",
        "ar": "وافق الشخص على الرد",
    },
    Guard.FOLLOW_UPS_TRIED: {
        "en": "the person was tried often enough, on different days",
        "ar": "جرت محاولات كافية للوصول إلى الشخص في أيام مختلفة",
    },
    Guard.CLOCK_RAN_OUT: {"en": "the clock ran out", "ar": "انتهت المدة"},
    Guard.VITAL_INTEREST: {
        "en": "a life is in danger and the person cannot be asked; a second person confirms within 24 hours",
        "ar": "حياة في خطر ولا يمكن سؤال الشخص؛ ويؤكد شخص ثانٍ خلال 24 ساعة",
    },
    Guard.OWN_CLOCK: {
        "en": "a provider only after it has accepted",
        "ar": "مقدّم الخدمة بعد القبول فقط",
    },
    Guard.CLOCK_PAUSED: {"en": "the clock is paused", "ar": "المدة موقوفة"},
    Guard.CLOCK_MONITORS: {
        "en": "a long service, which is asked after at intervals",
        "ar": "خدمة طويلة يُسأل عنها على فترات",
    },
    Guard.CONSENT_LOST: {"en": "consent was withdrawn", "ar": "سُحبت الموافقة"},
}

RULES: Sequence[Names] = (
    {
        "en": "Nothing is sent to a provider before the person has agreed to that provider and to the exact fields. "
        "Saying no takes nothing away from anybody.",
        "ar": "لا يُرسل شيء إلى مقدّم الخدمة قبل أن يوافق الشخص على هذه الجهة وعلى المعلومات المحددة. "
        "والرفض لا يُنقص من حق أحد.",
    },
    {
        "en": "Consent may be taken back at any time and by any way; whatever is under way is then recalled and the "
        "provider is told to delete. Nobody has to say why.",
        "ar": "يجوز سحب الموافقة في أي وقت وبأي وسيلة؛ عندئذ تُلغى كل إحالة جارية ويُطلب من مقدّم الخدمة حذف "
        "البيانات. ولا يُطلب من أحد ذكر السبب.",
    },
    {
        "en": "Each ministry's coordinator decides on the categories of that ministry, and on no other.",
        "ar": "يقرّر منسّق كل وزارة في الفئات التابعة لوزارته دون غيرها.",
    },
    {
        "en": "A place with a provider is reserved with the proposal and promised once only.",
        "ar": "يُحجز المكان لدى مقدّم الخدمة مع الاقتراح، ولا يُوعَد به إلا مرة واحدة.",
    },
    {
        "en": "A referral, a transfer and information are three things: with a referral one provider receives the "
        "fields read out; with a transfer another office takes over the whole case; with information the person goes "
        "alone and nothing leaves the office.",
        "ar": "الإحالة والتحويل وإعطاء المعلومات ثلاثة أمور مختلفة: في الإحالة يستلم مقدّم خدمة واحد المعلومات التي "
        "قُرئت؛ وفي التحويل يتولى مكتب آخر الحالة كلها؛ وفي إعطاء المعلومات يذهب الشخص بنفسه ولا يغادر المكتبَ شيء.",
    },
    {
        "en": "The provider says that the service was delivered; the case ends only when the returnee has been asked.",
        "ar": "يعلن مقدّم الخدمة أن الخدمة قُدّمت؛ ولا تنتهي الإحالة إلا بعد سؤال العائد.",
    },
)
