"""The framing and the source that a folder of images states, in a small file beside the images.

`cutouts.json`, such as `{"framing": "petrosian", "source": "simulated"}`. It is optional: a folder that says nothing
is taken at the user's word.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from metalight.errors import ImageError, quote_flaw, shorten
from metalight.recipe import Framing
from metalight.small_files import load_json

ORIGIN_FILE = "cutouts.json"
"""Name of the file, at the top of a folder of images."""


@dataclass(frozen=True)
class ImageOrigin:
    """How images frame their galaxies, and which survey and service made them; empty where it is not stated."""

    framing: str = ""
    source: str = ""


def load_origin(folder: Path) -> ImageOrigin:
    """The framing and source that a folder of images states.

    Raises:
        ImageError: Its `cutouts.json` cannot be understood.
    """
    path = folder / ORIGIN_FILE
    if not path.is_file():
        return ImageOrigin()
    try:
        values = load_json(path)
        origin = ImageOrigin(str(values.get("framing", "")), str(values.get("source", "")))
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise ImageError(
            f"{path} cannot be read as a description of images: {quote_flaw(error)}; fix or delete it."
        ) from error
    if origin.framing and origin.framing not in get_args(Framing):
        raise ImageError(
            f"{path} states the framing '{shorten(origin.framing)}'; known are {', '.join(get_args(Framing))}. Fix it."
        )
    return origin


def check_origin(folder: Path, *, framing: str, source: str) -> None:
    """Refuse a recipe that says of a folder's images what the folder itself denies.

    Raises:
        ImageError: The framing or the source differs from what `cutouts.json` states.
    """
    origin = load_origin(folder)
    for what, stated, wanted in (("framing", origin.framing, framing), ("source", origin.source, source)):
        if stated and stated != wanted:
            raise ImageError(
                f"The images in {folder} state the {what} '{shorten(stated)}' in {ORIGIN_FILE}, but the recipe says "
                f"'{wanted}'; set [cutouts] {what} = \"{shorten(stated)}\", or take other images."
            )
