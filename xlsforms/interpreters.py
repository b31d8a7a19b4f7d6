"""When the form asks for the interpreter's name: where nobody has reviewed the words of consent in a language."""

from governorates import Governorate, choice_codes, form_needs_interpreter


def needs_interpreter_formula(governorate: Governorate, version: str) -> str:
    """Write what `{{needs_interpreter}}` stands for: an XPath condition on the language that was chosen.

    `version` is that of the texts in the form, as the form's `text_version` says it.
    """
    reviewed = [
        code for code in choice_codes("language") if not form_needs_interpreter(governorate, version, code)
    ]
    return f"not(selected('{' '.join(reviewed)}', ../language))"
