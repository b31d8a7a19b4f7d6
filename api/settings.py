"""Every setting, read once from the environment (prefix IHALA_) or a `.env` file, and passed in."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from governorates import DEFAULT_GOVERNORATE

if TYPE_CHECKING:
    from api.mail import MailAccount
    from api.sms import SmsAccount
    from ingest.central.account import CentralAccount
    from ingest.sync import SyncSettings

PASSPHRASE_LENGTH = 10
"""Central accepts no shorter one."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Settings(BaseSettings):
    """Settings of one installation; `.env.example` lists them all with their meaning."""

    model_config = SettingsConfigDict(
        env_prefix="IHALA_", env_file=".env", extra="ignore", hide_input_in_errors=True
    )

    data_folder: Path = Path("var")
    database_url: SecretStr | None = None
    owner_database_url: SecretStr | None = None
    master_key: SecretStr | None = None
    index_key: SecretStr | None = None
    key_file: Path | None = None

    governorate: str = DEFAULT_GOVERNORATE
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str | None = None
    secure_cookies: bool = False
    tile_url: str | None = None

    sync_minutes: float = Field(default=1.0, gt=0)
    match_seed: int = 0

    scheduler: Literal["auto", "off"] = "auto"
    lag_minutes: float = Field(default=15.0, gt=0)
    job_history_days: float = Field(default=14.0, gt=0)
    metrics_token: SecretStr | None = Field(default=None, min_length=16)

    central_url: str | None = None
    central_email: str | None = None
    central_password: SecretStr | None = None
    central_project_id: int | None = None
    central_form_ids: tuple[str, ...] = ("needs_assessment",)
    central_passphrase: SecretStr | None = None
    central_manager_email: str | None = None
    central_manager_password: SecretStr | None = None
    central_public_url: str | None = None

    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_from: str | None = None
    smtp_ca_file: Path | None = None

    sms_url: str | None = None
    sms_secret: SecretStr | None = None
    sms_sender: str | None = None
    sms_to_field: str = "to"
    sms_text_field: str = "text"
    sms_sender_field: str = "from"

    send_seconds: float = Field(default=15.0, gt=0, le=60)

    @model_validator(mode="after")
    def _keep_secrets_off_the_wire(self) -> Self:
        """Passwords and phone numbers travel in clear text only within this machine."""
        if self.smtp_security == "none" and self.smtp_user and self.smtp_host not in LOOPBACK:
            raise ValueError("IHALA_SMTP_USER needs IHALA_SMTP_SECURITY starttls or tls")
        if self.sms_url:
            parts = urlsplit(self.sms_url)
            if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
                raise ValueError("IHALA_SMS_URL must begin with https://")
            if self.sms_secret is None:
                raise ValueError("IHALA_SMS_URL needs IHALA_SMS_SECRET, which signs what is posted")
        return self

    @model_validator(mode="after")
    def _check_passphrase(self) -> Self:
        if self.central_passphrase and len(self.central_passphrase) < PASSPHRASE_LENGTH:
            raise ValueError(f"IHALA_CENTRAL_PASSPHRASE has at least {PASSPHRASE_LENGTH} characters")
        return self

    @property
    def key_path(self) -> Path:
        """The key file: its own setting, or `keys` in the data folder."""
        return self.key_file or self.data_folder / "keys"

    def sync_settings(self) -> "SyncSettings":
        """What the ingester needs of these settings; Central is asked only when its account is complete."""
        from ingest.sync import SyncSettings

        return SyncSettings(central=self.central_account(), match_seed=self.match_seed)

    def central_account(self) -> "CentralAccount | None":
        """The account that reads ODK Central; None while its settings are not complete."""
        account = self._account(self.central_email, self.central_password)
        if account is None or not self.central_passphrase:
            return account
        return replace(account, passphrase=self.central_passphrase.get_secret_value())

    def central_manager_account(self) -> "CentralAccount | None":
        """The account that writes to ODK Central; None while its settings are not complete."""
        return self._account(self.central_manager_email, self.central_manager_password)

    def _account(self, email: str | None, password: SecretStr | None) -> "CentralAccount | None":
        from ingest.central.account import CentralAccount

        if not (self.central_url and email and password and self.central_project_id):
            return None
        return CentralAccount(
            url=self.central_url,
            email=email,
            password=password.get_secret_value(),
            project_id=self.central_project_id,
            form_ids=self.central_form_ids,
            cache_folder=self.data_folder / "central",
        )

    def mail_account(self) -> "MailAccount | None":
        """Where e-mail is handed over; None while IHALA_SMTP_HOST or IHALA_SMTP_FROM is not set."""
        from api.mail import MailAccount

        if not self.smtp_host or not self.smtp_from:
            return None
        return MailAccount(
            host=self.smtp_host,
            port=self.smtp_port,
            security=self.smtp_security,
            sender=self.smtp_from,
            user=self.smtp_user,
            password=self.smtp_password.get_secret_value() if self.smtp_password else None,
            ca_file=self.smtp_ca_file,
            seconds=self.send_seconds,
        )

    def sms_account(self) -> "SmsAccount | None":
        """Where SMS are handed over; None while IHALA_SMS_URL is not set."""
        from api.sms import SmsAccount

        if not self.sms_url or self.sms_secret is None:
            return None
        return SmsAccount(
            url=self.sms_url,
            secret=self.sms_secret.get_secret_value(),
            sender=self.sms_sender,
            to_field=self.sms_to_field,
            text_field=self.sms_text_field,
            sender_field=self.sms_sender_field,
            seconds=self.send_seconds,
        )
