"""Load the settings, with those of the registered brokers."""

from collections.abc import Mapping
from pathlib import Path

from broker.registry import BROKERS
from config.settings import DOTENV, Settings, read_settings


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    dotenv_path: Path | None = DOTENV,
    keep_secrets: bool = True,
) -> Settings:
    """Read and check all settings, as `config.settings.read_settings` does.

    Raises:
        SettingsError: it lists everything that is wrong at once.
    """
    return read_settings(BROKERS, environ, dotenv_path=dotenv_path, keep_secrets=keep_secrets)
