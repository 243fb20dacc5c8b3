"""Load the settings, with those of the registered brokers."""

from collections.abc import Mapping
from pathlib import Path

from alerts.formats.own import UnfitFormat
from alerts.formats.registry import dialects_with
from broker.registry import BROKERS
from config.checking import SettingsError
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
    settings = read_settings(BROKERS, environ, dotenv_path=dotenv_path, keep_secrets=keep_secrets)
    _check_formats(settings)
    return settings


def _check_formats(settings: Settings) -> None:
    """Raise SettingsError where a file describes no dialect, naming the file, the key and what was expected."""
    complaints = []
    for each in settings.formats:
        try:
            dialects_with([(each.name, each.table)])
        except UnfitFormat as error:
            complaints += [f"{each.path} {key}".strip() + f": {told}" for key, told in error.problems]
    if complaints:
        raise SettingsError(complaints)
