"""The files of a saved model: whether they are there, whole, and of a version that can be read."""

from pathlib import Path
from typing import Any

from pydantic_core import from_json

from metalight.errors import ModelError, explain_absence, explain_system, shorten
from metalight.model_files.header import TensorForm, read_header
from metalight.small_files import read_small_file

FORMAT_VERSION = 1
"""Raised when older models could no longer be read by newer code, or newer ones would be misread by older code."""

WEIGHTS_FILE, CONFIG_FILE, CARD_FILE = "model.safetensors", "config.json", "README.md"

_MANY_VERSIONS = 10_000  # a larger number is damage, which the message need not quote


def find_saved_model(path: Path) -> Path:
    """The folder of a saved model: the one given, or the `model` folder in it, as in a run.

    Raises:
        ModelError: There is none.
    """
    folder = path if (path / CONFIG_FILE).is_file() else path / "model"
    if not (folder / CONFIG_FILE).is_file():
        flaw = f"There is no saved model in {path}" if path.exists() else explain_absence(path, "folder")
        raise ModelError(f"{flaw}; give the folder that holds {CONFIG_FILE}, or a run that has trained one.")
    return folder


def check_saved_model(folder: Path) -> dict[str, TensorForm]:
    """The tensors of a saved model, whose description is of a version that can be read and whose weights are whole.

    Raises:
        ModelError: One of the two files is missing or damaged, or a newer metalight saved them.
    """
    load_description(folder)
    try:
        return read_header(folder / WEIGHTS_FILE)
    except ModelError as error:
        raise ModelError(
            f"The weights {folder / WEIGHTS_FILE} are missing or damaged: the file {error}; copy it again."
        ) from error


def load_description(folder: Path) -> dict[str, Any]:
    """The values of a saved model's `config.json`, of which only the version is checked.

    Raises:
        ModelError: It cannot be read, or a newer metalight saved it.
    """
    path = folder / CONFIG_FILE
    try:
        values: Any = from_json(read_small_file(path))
        if not isinstance(values, dict):
            raise ValueError("it is not a JSON object")
        version = values.get("format_version")
        if type(version) is not int or not 0 < version < _MANY_VERSIONS:
            raise ValueError("it has no format_version")
    except (OSError, ValueError) as error:
        flaw = explain_system(error) if isinstance(error, OSError) else shorten(str(error), most=200)
        raise ModelError(f"{path} cannot be read as a model's description: {flaw}; copy the model again.") from error
    if version != FORMAT_VERSION:
        raise ModelError(
            f"{path} has the format version {version}, and this metalight reads {FORMAT_VERSION}; update metalight."
        )
    return values
