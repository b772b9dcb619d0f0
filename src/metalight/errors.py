"""The errors that a user can fix, as a tree.

Each carries one sentence: what is wrong, where, and what to do next. The command line prints that sentence and
exits with `exit_status`; any other exception is a bug of ours and keeps its traceback.

    MetalightError
    ├── RecipeError       a setting is unknown, of the wrong type, or does not fit another
    ├── TableError        a table cannot be read or written, or a column is not what it should be
    │   └── CatalogError  the user's catalogue of galaxies
    ├── ImageError        an image file, or a folder of them
    ├── SplitError        training, validation and test sets cannot be made
    ├── ModelError        a saved model, its weights or its backbone
    ├── TrainingError     training cannot go on
    ├── PredictionError   a model and the images do not fit together
    │   └── NotFiniteError    a model predicts infinite or undefined numbers
    ├── EvaluationError   predictions that cannot be scored
    ├── RunError          a run folder
    ├── ServiceError      a service on the network
    └── InUseError        another process is working there
"""

import errno
import re
from pathlib import Path

_LONGEST_FLAW = 300

_OF_THE_PLACE = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO"),
        *("ENOTDIR", "EISDIR", "EEXIST", "ENOTEMPTY", "ELOOP", "ENAMETOOLONG"),
    )
    if hasattr(errno, name)
)

_IN_WORDS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your quota of the disk is used up",
    errno.EEXIST: "a file stands where a folder should be",
    errno.ENOTDIR: "a file stands where a folder should be",
    errno.EISDIR: "a folder stands where a file should be",
    errno.ELOOP: "a link leads in a circle",
}
"""Of errors whose own words, such as "File exists", do not tell what to fix."""


def is_of_the_place(error: OSError) -> bool:
    """Whether an error of the system is the fault of a place: a full disk, a file where a folder should be."""
    return error.errno in _OF_THE_PLACE


def explain_system(error: OSError) -> str:
    """An error of the system in words that stand after a colon, such as "the disk is full"."""
    return _IN_WORDS.get(error.errno or 0) or error.strerror or str(error)


def explain_absence(path: Path, what: str) -> str:
    """Why there is nothing of use at a path, as the beginning of a sentence: `There is no folder PATH`.

    Args:
        path: Of which `exists` is false, or which must not be looked at.
        what: What should be there: `file`, `folder`.
    """
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return f"{path} is a link that leads in a circle"
        if isinstance(error, PermissionError):
            return f"{path} cannot be looked at, for want of permission"
    if path.is_symlink():
        return f"{path} is a link to {path.readlink()}, which is not there"
    return f"There is no {what} {path}"


class MetalightError(Exception):
    """Something that the user can fix; its text says what, where, and what to do next."""

    exit_status = 1

    def __str__(self) -> str:
        return hide_secrets(super().__str__())


class RecipeError(MetalightError):
    """A setting is unknown, of the wrong type, or does not fit another."""

    exit_status = 2


class TableError(MetalightError):
    """A table cannot be read or written, or a column is not what it should be."""


class CatalogError(TableError):
    """The catalogue of galaxies cannot be used."""


class ImageError(MetalightError):
    """An image file, or a folder of them, cannot be used."""


class SplitError(MetalightError):
    """Training, validation and test sets cannot be made."""


class ModelError(MetalightError):
    """A saved model, its weights or its backbone cannot be used."""


class TrainingError(MetalightError):
    """Training cannot start or go on."""


class PredictionError(MetalightError):
    """A model and the images do not fit together."""


class NotFiniteError(PredictionError):
    """A model predicts infinite or undefined numbers."""


class EvaluationError(MetalightError):
    """Predictions cannot be scored."""


class RunError(MetalightError):
    """A run folder cannot be used."""


class ServiceError(MetalightError):
    """A service on the network cannot be used, or gives nothing that can be used."""


class InUseError(MetalightError):
    """Another process is working in the same place."""


def quote_flaw(error: BaseException) -> str:
    """Another library's message on a damaged file, on one line and without a full stop, for use inside a sentence."""
    return shorten(str(error), _LONGEST_FLAW).rstrip(".:; ") or type(error).__name__


def shorten(text: str, most: int = 80) -> str:
    """One line of what a stranger's file holds, for a message: it may be of any length, or have lines of its own."""
    line = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(line.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


_SECRETS = re.compile(
    # A user name and a password before the host; also one with a slash, that makes an address invalid.
    r"(?<=://)(?:[^/?#\s@]*@)+|(?<=://)[^/?#\s@:\[]*:(?!\d*(?:[/?#\s]|$))\S*@"
    # The value of a parameter that names a secret.
    r"|(?<=[?&])([\w.-]*(?:token|passw(?:or)?d|secret|signature|api_?key)=)[^&#\s]*",
    re.IGNORECASE,
)


def hide_secrets(text: str) -> str:
    """An address, or a text with addresses, without user names, passwords and tokens: to be shown or written down."""
    return _SECRETS.sub(lambda found: f"{found[1]}…" if found[1] else "", text)


def name_nearest(word: str, known: list[str]) -> str:
    """Suggestion to end an error with: ` Did you mean 'oh_p50'?`, or the known names if none is near.

    Args:
        word: What the user wrote.
        known: The names that exist, in the order to list them.
    """
    import difflib

    by_folded_name = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), list(by_folded_name), n=1, cutoff=0.5)
    if near:
        return f" Did you mean '{by_folded_name[near[0]]}'?"
    if not known:
        return ""
    listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return f" There are: {listed}."
