"""Files that a person writes, such as recipes and lists: read only if they are regular files of a sensible size."""

import errno
import json
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

MOST_BYTES = 1_000_000
"""Of a recipe, a study or a description of a model, which have a few thousand."""

_MOST_JSON_BYTES = 100_000_000
_MOST_LEVELS = 20
_WORD = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_TOO_DEEP = re.compile(rf"(?<![\w-])(?:{_WORD}[ \t]*+\.[ \t]*+){{{_MOST_LEVELS}}}")


def read_small_file(path: Path, *, most_bytes: int = MOST_BYTES) -> bytes:
    """The content of a file; a pipe or a device, which may never end, is not opened.

    Raises:
        OSError: It is not there, cannot be read, is not a regular file, or has more than `most_bytes`.
    """
    require_regular(path)
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it has more than {most_bytes:,} bytes", str(path))
    return content


def load_json(path: Path) -> Any:
    """The content of a JSON file, which may come from a stranger.

    Raises:
        OSError: As `read_small_file`, of more than 100 MB.
        ValueError: It is not JSON, or is nested too deeply.
    """
    try:
        return json.loads(read_small_file(path, most_bytes=_MOST_JSON_BYTES))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def require_regular(path: Path) -> None:
    """Refuse a pipe or a device, of which opening or reading may never end, and a folder.

    Raises:
        OSError: It is one, or is not there.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a regular file", str(path))


def parse_toml(text: str) -> dict[str, Any]:
    """The content of TOML text.

    Raises:
        tomllib.TOMLDecodeError: It is not TOML, or has a number or a nesting that nobody needs.
    """
    # Before it is parsed: of 20,000 dotted parts the parser takes 4 s, and four times as long for twice as many.
    if _TOO_DEEP.search(text):
        raise tomllib.TOMLDecodeError("it is nested too deeply")
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("it is nested too deeply") from None
    except ValueError as error:  # an integer of thousands of digits
        raise tomllib.TOMLDecodeError(str(error)) from None
    _check_depth(values)
    return values


def _check_depth(values: object) -> None:
    level = [values]
    for _ in range(_MOST_LEVELS):
        level = [inner for value in level for inner in _list_inner(value)]
        if not level:
            return
    raise tomllib.TOMLDecodeError("it is nested too deeply")


def _list_inner(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
