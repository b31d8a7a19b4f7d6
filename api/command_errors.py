"""Refusals on the command line, in one sentence; anything else is a bug and shows its traceback."""

from collections.abc import Callable


def explain(error: Exception) -> str | None:
    """Give the sentence for an error that a person can mend, or None for a bug."""
    from psycopg.errors import UndefinedTable
    from sqlalchemy.exc import OperationalError, ProgrammingError

    from api.central_texts import problem_words
    from api.demo_accounts import DemoRefusedError
    from api.server import PortInUseError
    from db.backup import BackupError
    from db.crypto import CryptoError
    from db.embedded_errors import EmbeddedPostgresError
    from db.errors import DomainError
    from db.keyfile import KeyFileError
    from geo.candidates import ImportFileError
    from governorates.directory import DirectoryError
    from governorates.errors import GovernorateDataError
    from ingest.central.errors import CentralError
    from ingest.provisioning.errors import ProvisioningError

    sentences: dict[type[Exception], Callable[[Exception], str]] = {
        DomainError: lambda e: f"Refused: {e} {getattr(e, 'details', '')}",
        EmbeddedPostgresError: str,
        BackupError: str,
        DemoRefusedError: str,
        CryptoError: str,
        KeyFileError: str,
        GovernorateDataError: str,
        ImportFileError: str,
        DirectoryError: str,
        PortInUseError: str,
        CentralError: problem_words,
        ProvisioningError: problem_words,
        OperationalError: lambda _: "The database does not answer: check IHALA_DATABASE_URL.",
    }
    if isinstance(error, ProgrammingError) and isinstance(error.orig, UndefinedTable):
        return "The database is empty: run `ihala migrate` first."
    for kind, sentence in sentences.items():
        if isinstance(error, kind):
            return sentence(error)
    return None
