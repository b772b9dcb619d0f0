"""Which files together are the image of a galaxy.

An image is one file, a picture or FITS, named `ID.suffix`; or one FITS file for each band, named `ID_BAND`, `ID-BAND`
or `ID.BAND`, or `BAND` in a folder `ID`. An identifier may have dots, blanks and any other sign of a file's name; one
with a slash is a path below the folder, `field/7.jpg`. Names of bands are taken as they are spelled. Files of bands
that are not asked for play no part. Wherever several files could be meant, or several galaxies, none is used.

Capital letters matter. Names that differ only in how Unicode spells an accent are the same: macOS spells it in its way.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from metalight.cutouts.scan import IS_NOT_THERE, ImageFile
from metalight.identifiers import name_of
from metalight.image_files import cut_suffix, has_marks

_BEFORE_BAND = ("_", "-", ".")


@dataclass(frozen=True, slots=True)
class Candidate:
    """The files that may be a galaxy's image; a reason if none may be used."""

    files: tuple[ImageFile, ...] = ()
    reason: str = ""
    named: str = ""
    """The catalogue's name for the file, for a galaxy that has no file."""


@dataclass(slots=True)
class GalaxyFiles:
    """All files that are named for one galaxy."""

    whole: list[ImageFile] = field(default_factory=list)
    by_band: dict[str, list[ImageFile]] = field(default_factory=lambda: defaultdict(list))
    other: list[ImageFile] = field(default_factory=list)
    """Files of types that are not read; they do not matter where there is an image."""
    doubt: str = ""
    """Why a file may be another galaxy's; empty if none may."""

    def add(self, file: ImageFile, band: str) -> None:
        """Take a file of a band, or of the whole image where `band` is empty."""
        if not file.is_image:
            self.other.append(file)
        else:
            (self.by_band[band] if band else self.whole).append(file)

    def list_images(self) -> list[ImageFile]:
        """Every image file, those of whole images first."""
        return self.whole + [file for files in self.by_band.values() for file in files]


class WantedNames:
    """The galaxies that files are looked for, by what may stand for them in a path."""

    def __init__(self, object_ids: Iterable[int]) -> None:
        """The galaxies with these keys."""
        self._by_name = {name_of(key): key for key in object_ids}
        alike: dict[str, list[int]] = defaultdict(list)
        for name, key in self._by_name.items():
            alike[unicodedata.normalize("NFC", name)].append(key)
        self._by_spelling = {name: keys[0] for name, keys in alike.items() if len(keys) == 1}

    def find(self, text: str) -> int | None:
        """The galaxy that a part of a path names."""
        key = self._by_name.get(text)
        return self._by_spelling.get(unicodedata.normalize("NFC", text)) if key is None else key

    def find_all(self, path: str, bands: Sequence[str]) -> dict[int, str]:
        """The band of the file at a path for each galaxy that it may be of; an empty band is the whole image."""
        whole_path = cut_suffix(path)
        if "/" in path and (key := self.find(whole_path)) is not None:
            return {key: ""}
        stem = PurePosixPath(whole_path).name
        readings = [(whole_path, ""), (stem, ""), (PurePosixPath(path).name, ""), *_split_bands(path, bands)]
        found: dict[int, str] = {}
        for text, band in readings:
            key = self.find(text)
            if key is not None:
                found.setdefault(key, band)
        return found


def group_by_galaxy(
    files: Iterable[ImageFile], bands: Sequence[str], object_ids: Iterable[int]
) -> dict[int, GalaxyFiles]:
    """The files of each of the wanted galaxies that has any."""
    wanted = WantedNames(object_ids)
    groups: dict[int, GalaxyFiles] = defaultdict(GalaxyFiles)
    for file in files:
        found = wanted.find_all(file.path, bands if file.is_fits else ())
        for key, band in found.items():
            groups[key].add(file, band)
        if len(found) > 1:
            first, second, *_ = map(name_of, found)
            for key in found:
                groups[key].doubt = f"has a file that may be of {first} and of {second}: {file.path}"
    return groups


def group_by_name(files: Iterable[ImageFile], bands: Sequence[str]) -> dict[str, GalaxyFiles]:
    """The files of each galaxy by what their names say, where it is not known which galaxies there are."""
    groups: dict[str, GalaxyFiles] = defaultdict(GalaxyFiles)
    others = []
    for file in files:
        galaxy, band = next(_split_bands(file.path, bands if file.is_fits else ()), ("", ""))
        if band:
            groups[galaxy].add(file, band)
        else:
            others.append(file)
    of_bands = set(groups)
    for file in others:
        path = PurePosixPath(file.path)
        stem = cut_suffix(path.name)
        # Beside files of the bands wanted, one of another band is not a galaxy of its own.
        is_of_other_band = file.is_fits and (
            path.parent.name in of_bands or not of_bands.isdisjoint(_list_starts(stem))
        )
        if not is_of_other_band:
            groups[stem].add(file, "")
    return groups


def choose_files(group: GalaxyFiles | None, bands: Sequence[str]) -> Candidate:
    """The one file of a galaxy, or its file of each band; a reason against all of them if that is in doubt."""
    if group is None:
        return Candidate(reason=IS_NOT_THERE)
    if group.doubt:
        return Candidate(tuple(group.list_images()), group.doubt)
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


def _split_bands(path: str, bands: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Possible names of the galaxy in the path of a FITS file of one band, and the band, the longest name first."""
    whole_path = PurePosixPath(cut_suffix(path))
    stem, folder = whole_path.name, str(whole_path.parent)
    inside = "" if folder == "." else f"{folder}/"
    if inside and stem in bands:
        yield PurePosixPath(folder).name, stem
        yield folder, stem
    for band in sorted(bands, key=len, reverse=True):
        galaxy = stem[: -len(band) - 1]
        if galaxy and stem.endswith(tuple(f"{mark}{band}" for mark in _BEFORE_BAND)):
            yield galaxy, band
            if inside:
                yield f"{inside}{galaxy}", band


def _list_starts(stem: str) -> list[str]:
    """The text before each character that may separate a galaxy from a band."""
    return [stem[:place] for place, sign in enumerate(stem) if sign in _BEFORE_BAND]
