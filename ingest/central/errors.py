"""What may go wrong with ODK Central."""

CODES = frozenset(
    {
        "central_unreachable",
        "central_cut_off",
        "central_busy",
        "central_sign_in",
        "central_forbidden",
        "central_not_found",
        "central_refused",
        "central_proxy",
        "central_answer",
        "central_encrypted",
        "central_passphrase",
        "central_passphrase_missing",
        "central_undecryptable",
        "central_too_large",
    }
)
"""unreachable: no answer, or 5xx. cut_off: the answer broke off. busy: 429 for longer than we wait. refused: any
other 4xx, see `problem`. proxy: a page in place of an answer. answer: an answer that does not make sense.
encrypted: submissions whose key is not managed by Central, which nobody here can decrypt. passphrase: that of the
project's managed key is wrong; passphrase_missing: none is set. undecryptable: some submissions cannot be decrypted
although the passphrase is right, the others were read. too_large: an export larger than is taken."""


class CentralError(Exception):
    """Central cannot be used now, or refuses. Holds codes only: the body of an answer may hold personal data.

    `code`: one of CODES. `problem`: Central's own number of a refusal, such as `409.15`.
    """

    def __init__(self, code: str, status: int | None = None, problem: str | None = None) -> None:
        if code not in CODES:
            raise ValueError(code)
        self.code, self.status, self.problem = code, status, problem
        told = problem or status
        super().__init__(code if told is None else f"{code} ({told})")
