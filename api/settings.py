"""Settings: where and how the service runs. None changes a number in an answer, rounding aside."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.errors import ConfigurationError
from merl_core.backend_names import DEFAULT_BACKEND, BackendName, require_backend
from merl_core.errors import MerlError

_SHA256_PREFIX = "sha256:"


def default_data_dir() -> Path:
    """Return the user's data folder for this program (`XDG_DATA_HOME`, else `~/.local/share`)."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "merl-ckepe"


class Settings(BaseSettings):
    """Settings of the service, from the environment (`MERL_...`) or a file `.env`."""

    model_config = SettingsConfigDict(
        env_prefix="MERL_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    host: str = "127.0.0.1"
    """Address to listen on; the default is reached from this machine alone."""
    port: int = Field(default=8000, ge=0, le=65535)
    data_dir: Path = Field(default_factory=default_data_dir)
    """Where the index and the stored prompt sets live."""
    database_url: str = ""
    """SQLAlchemy URL of the prompt sets; empty is SQLite in `data_dir`."""
    checkpoint: str = "merl-base"
    """Name of a bundled checkpoint, or a folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    backend: BackendName = DEFAULT_BACKEND
    """What runs the ECG encoder. In float32 all give the same scores to its rounding; bfloat16 ones
    differ in the third decimal, and every answer names the backend that made it."""
    chroma_url: str = ""
    """Base URL of a Chroma server; empty is an embedded index in `data_dir`."""

    llm_base_url: str = ""
    """Base URL of an OpenAI-compatible server, such as `http://127.0.0.1:8080/v1`."""
    llm_api_key: SecretStr = SecretStr("")
    llm_model: str = ""
    llm_timeout_s: float = Field(default=60.0, gt=0)

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Comma-separated keys with every scope, or `sha256:` and the hex digest of one; empty, and no
    key in the database, means that no key is asked."""
    rate_limit_per_minute: int = Field(default=0, ge=0)
    """Requests of one key, or of one address where no key is asked, in any minute; 0: no limit."""
    max_upload_mb: float = Field(default=64.0, gt=0)
    n_workers: int = Field(default=2, ge=1, le=64)
    """Files read at the same time, each in a process of its own."""
    max_waiting: int = Field(default=64, ge=0)
    """Requests that may wait for a worker before new ones are turned away (429)."""
    reader_memory_mb: int = Field(default=2048, ge=256)
    """Memory that the process which parses files may take."""
    reader_timeout_s: float = Field(default=20.0, gt=0)
    require_published: bool = False
    """Whether classification takes only reviewed and published prompt sets."""
    drain_timeout_s: float = Field(default=30.0, ge=0)
    """How long requests under way may take once the process is told to stop."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    umls_dir: Path | None = None
    """Folder of a UMLS release (MRCONSO.RRF and so on), where the user has a licence."""
    medgen_dir: Path | None = None
    """Folder of an NCBI MedGen release (MGCONSO.RRF and so on)."""
    scp_ecg_csv: Path | None = None
    """The user's own SCP-ECG list: CSV with the columns code, text and category."""
    cdisc_tsv: Path | None = None
    """A CDISC SDTM ECG terminology file, tab-separated."""
    uts_api_key: SecretStr = SecretStr("")
    """The user's key for UMLS Terminology Services; only `merl knowledge uts` uses it."""
    uts_url: str = "https://uts-ws.nlm.nih.gov/rest"
    """The server of UMLS Terminology Services, or a proxy before it."""

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(key.strip() for key in value.split(",") if key.strip())
        return value

    @field_validator("api_keys")
    @classmethod
    def _check_digests(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in keys:
            digest = key.get_secret_value().removeprefix(_SHA256_PREFIX)
            is_digest = key.get_secret_value().startswith(_SHA256_PREFIX)
            if is_digest and not (len(digest) == 64 and set(digest) <= set("0123456789abcdef")):
                msg = "expected 64 lower-case hex digits after 'sha256:'"
                raise ValueError(msg)
        return keys

    @field_validator("backend")
    @classmethod
    def _check_backend(cls, name: BackendName) -> BackendName:
        try:
            require_backend(name)
        except MerlError as error:
            raise ValueError(str(error)) from error
        return name

    @field_validator("llm_base_url", "chroma_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            msg = f"expected a URL that starts with http:// or https://, not {value!r}"
            raise ValueError(msg)
        return value.rstrip("/")

    @property
    def max_upload_bytes(self) -> int:
        """Largest body of a request."""
        return int(self.max_upload_mb * 1024 * 1024)

    @property
    def has_llm(self) -> bool:
        """Whether a language model is set."""
        return bool(self.llm_base_url and self.llm_model)

    @property
    def sqlalchemy_url(self) -> str:
        """URL of the database of prompt sets."""
        return self.database_url or f"sqlite:///{self.data_dir / 'merl.db'}"


def load_settings(**overrides: object) -> Settings:
    """Read the settings; `overrides` (of the command line) win over the environment.

    Raises:
        ConfigurationError: One is not valid; the message is one line and names it.
    """
    try:
        return Settings(**{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "_".join(str(part) for part in first["loc"][:1]).upper()
        msg = f"setting MERL_{name} is not valid: {first['msg'].removeprefix('Value error, ')}"
        raise ConfigurationError(msg) from None


def prepare_data_dir(settings: Settings) -> None:
    """Create the data folder, and check that it can be written.

    Raises:
        ConfigurationError: It cannot.
    """
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        probe = settings.data_dir / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        msg = (
            f"setting MERL_DATA_DIR is {str(settings.data_dir)!r}, "
            f"which cannot be written: {error.strerror}"
        )
        raise ConfigurationError(msg) from None
