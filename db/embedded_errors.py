"""What can go wrong with the embedded database, said in a way that a person can act on."""


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL can't be prepared, started or stopped.

    `code` is stable and short (`programs_missing`, `folder_unreachable`, `start_failed`, ...); the message
    names folders and the server's log, and never a password or anything that is stored in the database.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} [{code}]")
        self.code = code
        self.message = message
