"""The one error of the governorate reader."""


class GovernorateDataError(ValueError):
    """A data file of a governorate is wrong.

    `file` is the file's name, `where` the row or key in it, `problem` what is wrong there.
    """

    def __init__(self, file: str, where: str, problem: str) -> None:
        super().__init__(f"{file}, {where}: {problem}")
        self.file = file
        self.where = where
        self.problem = problem
