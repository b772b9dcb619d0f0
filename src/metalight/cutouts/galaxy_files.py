"""Which files together are the image of a galaxy.

An image is one file, a picture or FITS, named `ID.suffix`; or one FITS file for each band, named `ID_BAND`, `ID-BAND`
or `ID.BAND`, or `BAND` in a folder `ID`. Names of bands are taken as they are spelled. Files of bands that are not
asked for play no part. Wherever several files could be meant, none is used.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from metalight.cutouts.scan import IS_NOT_THERE, ImageFile
from metalight.image_files import cut_suffix, has_marks

_LARGEST_OBJECT_ID = 2**63 - 1
_ID_AND_BAND = re.compile(r"([0-9]+)[_.-](.+)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """The files that may be a galaxy's image; a reason if none may be used."""

    files: tuple[ImageFile, ...] = ()
    reason: str = ""
    named: str = ""
    """What the catalogue calls the file, for a galaxy that has none."""


@dataclass(slots=True)
class GalaxyFiles:
    """All files that are named for one galaxy."""

    whole: list[ImageFile] = field(default_factory=list)
    by_band: dict[str, list[ImageFile]] = field(default_factory=lambda: defaultdict(list))
    other: list[ImageFile] = field(default_factory=list)
    """What is not an image that is read: of no account where there is one."""

    def list_images(self) -> list[ImageFile]:
        """Every image file, those of whole images first."""
        return self.whole + [file for files in self.by_band.values() for file in files]


def group_by_name(files: Iterable[ImageFile], bands: Sequence[str]) -> dict[str, GalaxyFiles]:
    """The files of each galaxy, by what their names or folders say in place of its identifier."""
    groups: dict[str, GalaxyFiles] = defaultdict(GalaxyFiles)
    for file in files:
        galaxy, band = _read_name(file, bands)
        if not file.is_image:
            groups[galaxy].other.append(file)
        elif not band:
            groups[galaxy].whole.append(file)
        elif band in bands:
            groups[galaxy].by_band[band].append(file)
    return groups


def choose_files(group: GalaxyFiles | None, bands: Sequence[str]) -> Candidate:
    """The one file of a galaxy, or its file of each band; a reason against all of them if that is in doubt."""
    if group is None:
        return Candidate(reason=IS_NOT_THERE)
    whole, by_band = _drop_same(group.whole), {band: _drop_same(files) for band, files in group.by_band.items()}
    files = whole + [file for of_band in by_band.values() for file in of_band]
    if not files:
        return Candidate(tuple(group.other), group.other[0].flaw if group.other else IS_NOT_THERE)
    if len(whole) > 1 or (whole and by_band):
        named = " and ".join(file.path for file in files[:3])
        reason = f"has {len(files)} image files, and which is right cannot be known: {named}"
        return Candidate(tuple(files), reason)
    return Candidate(tuple(files)) if whole else choose_bands(by_band, bands)


def _drop_same(files: list[ImageFile]) -> list[ImageFile]:
    """The files without those that are one of the others by another path, as links are."""
    if len(files) < 2:
        return files
    kept: dict[object, ImageFile] = {}
    for file in files:
        kept.setdefault(file.identify(), file)
    return list(kept.values())


def choose_bands(by_band: dict[str, list[ImageFile]], bands: Sequence[str]) -> Candidate:
    """The file of each band, in their order; a reason if a band has none or several."""
    files = tuple(file for band in bands for file in by_band.get(band, []))
    for band in bands:
        of_band = by_band.get(band, [])
        if len(of_band) > 1:
            named = " and ".join(file.path for file in of_band[:3])
            return Candidate(files, f"has {len(of_band)} files of the band {band}: {named}")
    lacking = [band for band in bands if not by_band.get(band)]
    if lacking:
        return Candidate(files, f"lacks a file of the band {' and '.join(lacking)}")
    if len(files) > 1 and any(has_marks(file.path) for file in files):
        return Candidate(files, "has a path with a comma or a brace, which files of single bands must not have")
    return Candidate(files)


def _read_name(file: ImageFile, bands: Sequence[str]) -> tuple[str, str]:
    """What stands for the galaxy, and for the band; an empty band is a file with the whole image."""
    path = PurePosixPath(file.path)
    stem = cut_suffix(path.name)
    if not file.is_fits:
        return stem, ""
    folder = path.parent.name
    if stem in bands and folder:
        return folder, stem
    both = _ID_AND_BAND.fullmatch(stem)
    if both:
        return both[1], both[2]
    # In the folder of a galaxy, a file of a band that is not asked for.
    return (folder, stem) if folder.isdigit() and not stem.isdigit() else (stem, "")


def find_name_flaw(stem: str) -> str:
    """Why a file's name is not an `object_id`; empty if it is."""
    if not (stem.isascii() and stem.isdigit()):
        return "is not named by an integer identifier"
    if stem != "0" and stem.startswith("0"):
        return "has an identifier with leading zeros"
    if len(stem) > 19 or int(stem) > _LARGEST_OBJECT_ID:
        return "has an identifier that is larger than 64 bits hold"
    return ""
