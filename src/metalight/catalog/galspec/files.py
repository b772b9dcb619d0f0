"""The galSpec files in a folder: found by name in any case, and refused by name where one is not there."""

import re
from dataclasses import dataclass
from pathlib import Path

from metalight.errors import CatalogError, explain_absence

_KINDS = {"info": "galSpecInfo", "extra": "galSpecExtra", "line": "galSpecLine", "indx": "galSpecIndx"}
_SPEC_OBJ = "specObj"


@dataclass(frozen=True)
class GalspecFiles:
    """Where the files lie."""

    info: Path
    """galSpecInfo: what was observed, the redshift, and whether the results are to be used."""

    extra: Path
    """galSpecExtra: metallicities, masses and star formation rates."""

    line: Path
    """galSpecLine: fluxes of emission lines."""

    indx: Path
    """galSpecIndx: indices, such as the 4000 Å break."""

    spec_obj: Path | None
    """specObj of the same release, which says what spectrum of a galaxy is the best one; None if it is not there."""

    def list_by_role(self) -> dict[str, Path]:
        """The files that are there, by role, galSpecInfo first."""
        return {role: path for role, path in vars(self).items() if path is not None}


def find_galspec_files(folder: Path) -> GalspecFiles:
    """The four files of MPA-JHU, such as `galSpecInfo-dr8.fits`, and `specObj-dr8.fits` if it is beside them.

    Args:
        folder: Where they lie. Names are found in any case.

    Raises:
        CatalogError: There is no such folder, one of the four is not in it, is compressed, or is there twice.
    """
    if not folder.is_dir():
        what = f"{folder} is not a folder" if folder.exists() else explain_absence(folder, "folder")
        raise CatalogError(f"{what}; name the folder that holds galSpecInfo-dr8.fits and the three beside it.")
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    found = {role: _find(folder, names, name) for role, name in _KINDS.items()}
    lacking = [_KINDS[role] for role, path in found.items() if path is None]
    if lacking:
        listed = ", ".join(f"{name}-dr8.fits" for name in lacking)
        raise CatalogError(
            f"{folder} lacks {listed}; the selection needs galSpecInfo, galSpecExtra, galSpecLine and galSpecIndx of "
            "one release, as at https://data.sdss.org/sas/dr8/common/sdss-spectro/redux/."
        )
    four = {role: path for role, path in found.items() if path is not None}
    return GalspecFiles(**four, spec_obj=_find(folder, names, _SPEC_OBJ))


def _find(folder: Path, names: list[str], kind: str) -> Path | None:
    pattern = re.compile(rf"{kind}([-_.]?dr[0-9]+)?\.(fits|fit)(\.gz|\.bz2)?", re.IGNORECASE)
    matching = [match for match in map(pattern.fullmatch, names) if match]
    plain = [match.string for match in matching if not match[3]]
    if len(plain) > 1:
        raise CatalogError(f"{folder} has {' and '.join(plain)}; leave one of them there.")
    if plain:
        return folder / plain[0]
    if matching:
        raise CatalogError(
            f"{folder / matching[0].string} is compressed, and so cannot be read in pieces; unpack it with "
            f"{'bunzip2' if matching[0][3].lower() == '.bz2' else 'gunzip'}."
        )
    return None
