"""Every setting, read once from the environment (prefix IHALA_) or a `.env` file, and passed in."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from governorates import DEFAULT_GOVERNORATE

if TYPE_CHECKING:
    from ingest.sync import SyncSettings


class Settings(BaseSettings):
    """Settings of one installation; `.env.example` lists them all with their meaning."""

    model_config = SettingsConfigDict(env_prefix="IHALA_", env_file=".env", extra="ignore")

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

    central_url: str | None = None
    central_email: str | None = None
    central_password: SecretStr | None = None
    central_project_id: int | None = None
    central_form_ids: tuple[str, ...] = ("needs_assessment",)

    @property
    def key_path(self) -> Path:
        """The key file: its own setting, or `keys` in the data folder."""
        return self.key_file or self.data_folder / "keys"

    def sync_settings(self) -> "SyncSettings":
        """What the ingester needs of these settings; Central is asked only when its account is complete."""
        from ingest.central_client import CentralAccount
        from ingest.sync import SyncSettings

        account = None
        if self.central_url and self.central_email and self.central_password and self.central_project_id:
            account = CentralAccount(
                url=self.central_url,
                email=self.central_email,
                password=self.central_password.get_secret_value(),
                project_id=self.central_project_id,
                form_ids=self.central_form_ids,
                cache_folder=self.data_folder / "central",
            )
        return SyncSettings(central=account, match_seed=self.match_seed)
