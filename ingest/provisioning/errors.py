"""What stops provisioning."""

CODES = frozenset(
    {
        "rights_missing",
        "project_missing",
        "project_archived",
        "attachment_missing",
        "entities_lost",
        "root_not_data",
        "form_refused",
        "not_reached",
        "under_way",
    }
)


class ProvisioningError(Exception):
    """Provisioning stops. `details` name rights, forms, lists and files; never a token or a person."""

    def __init__(self, code: str, **details: str) -> None:
        if code not in CODES:
            raise ValueError(code)
        self.code, self.details = code, details
        super().__init__(code)
