"""Errors as Central words them."""

from typing import Any


class CentralProblemError(Exception):
    """An error as Central words it: `code` begins with the status."""

    def __init__(self, code: float, message: str, details: Any = None) -> None:
        self.code, self.message, self.details = code, message, details
        super().__init__(message)

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.details is not None:
            body["details"] = self.details
        return body


def not_signed_in() -> CentralProblemError:
    return CentralProblemError(401.2, "Could not authenticate with the provided credentials.")


def forbidden() -> CentralProblemError:
    message = "The authentication you provided does not have rights to perform that action."
    return CentralProblemError(403.1, message)


def not_found() -> CentralProblemError:
    return CentralProblemError(404.1, "Could not find the resource you were looking for.")


def missing(field: str) -> CentralProblemError:
    return CentralProblemError(400.2, f"Required parameter {field} missing.", {"field": field})


def unexpected(field: str, value: str, reason: str) -> CentralProblemError:
    details = {"field": field, "value": value, "reason": reason}
    return CentralProblemError(400.8, f"Unexpected {field} value {value}; {reason}", details)


def wrong_kind(field: str, expected: str, value: str | None = None) -> CentralProblemError:
    details = {"field": field, "expected": expected} | ({} if value is None else {"value": value})
    message = f"Invalid input data type: expected ({field}) to be ({expected})"
    return CentralProblemError(400.11, message, details)


def exists(table: str, fields: list[str], values: list[Any]) -> CentralProblemError:
    told = ",".join(str(value) for value in values)
    message = f"A resource already exists with {','.join(fields)} value(s) of {told}."
    return CentralProblemError(409.3, message, {"fields": fields, "values": values, "table": table})


def unsupported(feature: str) -> CentralProblemError:
    message = f"The requested feature {feature} is not supported by this server."
    return CentralProblemError(501.1, message, {"feature": feature})
