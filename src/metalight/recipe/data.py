"""Settings of the stages that make the data: catalogue, cutouts, pixels, splits."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from metalight.errors import hide_secrets
from metalight.recipe.bands import Stretch, check_bands, check_extinction, check_picture_bands, list_extinction
from metalight.recipe.base import Settings
from metalight.recipe.selection import check_cuts, check_properties

Framing = Literal["petrosian", "fixed", "fifteen", "other"]
Side = Annotated[int, Field(ge=1, le=1024)]

_NAME_IN_ADDRESS = r"^[A-Za-z0-9][A-Za-z0-9._/+-]*$"
_HIPS_BY_BAND = "CDS/P/SDSS9/{band}"

FieldArcsec = Annotated[float, Field(ge=0)]
ServiceName = Literal["folder", "skyserver", "legacy", "hips", "fits", "archive"]
FitsOrigin = Literal["hips", "legacy"]
SizeOrigin = Literal["column", "factor", "measured"]

WORDS_ON_FETCHING = frozenset(
    (
        *("folder", "service", "side", "frame_arcsec", "base_url", "layer", "hips", "retry_refused"),
        *("fits_from", "archive", "archive_checksum", "size", "radius_column", "radius_factor"),
    )
)
"""Settings of [cutouts] that say where images come from, but not what they are or what becomes of them: a model does
not depend on them, once the images are there."""


class CatalogSettings(Settings):
    """Which galaxies, and how the user's columns are named."""

    source: Literal["table", "skyserver", "galspec"] = "table"
    """Where the galaxies come from: `table` is the user's own, `skyserver` asks the database of SDSS; there, a
    `path` makes it a table all the same. `galspec` reads the files of MPA-JHU, in the folder that `path` names."""

    path: str = ""
    """The catalogue, one row a galaxy: CSV, ECSV, VOTable or FITS, also with .gz, or Parquet; or a folder of Parquet
    parts, or a pattern for them such as `parts/part-*.parquet`."""

    photometry: str = ""
    """For `source = "galspec"`: a table with objID, specObjID, ra, dec (photometric, degrees) and magnitudes."""

    object_id: str = "object_id"
    """Column of the galaxies' identifiers, integers or text. Here and below, a name may differ from the table's in
    case."""

    targets: tuple[str, ...] = ("metallicity",)
    """Columns to learn to predict. Galaxies that lack it, or all of several, are refused, listed and counted; one that
    lacks some of several is learnt from by those that it has."""

    file_name: str = ""
    """Column of image file names, relative to the folder of cutouts; empty: files are named by the identifier."""

    ra: Annotated[str, Field(min_length=1)] = "ra"
    """Column of right ascensions in degrees, for `splits.method = "sky"`."""

    dec: Annotated[str, Field(min_length=1)] = "dec"
    """Column of declinations in degrees, for `splits.method = "sky"`."""

    petro_r90: str = ""
    """Column of petroR90_r in arcsec, which tells the frames of `cutouts.framing = "petrosian"`, for
    `splits.method = "sky"`; empty: frames link no galaxies."""

    missing_values: tuple[float, ...] = (-9999.0, -999.0, -99.0)
    """Numbers that stand for "not measured"."""

    cuts: tuple[str, ...] = ("auto",)
    """Named cuts that galaxies must pass, on columns as SDSS spells them. `paper` stands for those of the paper; `auto`
    for the same where the galaxies are selected from SDSS, and for none where they are those of the user's table."""

    properties: dict[str, str] = Field(default_factory=dict)
    """Columns of properties of the galaxies that figures, baselines and studies use, by the property's name, such as
    `properties.log_mass = "MSTAR"`, where they are called otherwise than in SDSS: see docs/columns.md."""

    limit: Annotated[int, Field(ge=0)] = 0
    """Take only so many galaxies, to try things out: of a selection some that are spread over the sky as all of them,
    always the same ones; of a table the first rows. 0 takes all."""

    @property
    def is_table(self) -> bool:
        """Whether the galaxies are those of the user's own table."""
        return self.source == "table" or (self.source == "skyserver" and bool(self.path))

    @model_validator(mode="after")
    def _names_fit(self) -> "CatalogSettings":
        if not self.targets or not all(self.targets):
            raise ValueError("name at least one column to predict")
        check_cuts(self.cuts)
        check_properties(self.properties)
        if self.source == "galspec" and not self.photometry:
            raise ValueError(
                'source = "galspec" needs photometry = "TABLE", as galSpec has neither magnitudes nor places'
            )
        return self


class LuptonSettings(Settings):
    """Fluxes to the levels of a colour picture that keeps colours in bright parts: Lupton et al. 2004, PASP 116, 133.

    With I the mean of the three bands' scale · flux − minimum, each of them is multiplied by
    25.5 · arcsinh(q · I / stretch) / (arcsinh(q / 10) · I), which is astropy's form. The defaults are for SDSS in
    nanomaggies a pixel of 0.396 arcsec: the scales and the curve, arcsinh(20 I) / √20, are those by which the Legacy
    Surveys' viewer shows SDSS, above a black sky.
    """

    q: Annotated[float, Field(gt=0, le=1e10)] = 4.6
    """Softening: the larger, the sooner bright parts are compressed."""

    stretch: Annotated[float, Field(gt=0)] = 0.23
    """Scaled flux of the linear part, in the files' unit."""

    minimum: tuple[float, ...] = (0.0,)
    """Scaled flux that is black: one for all bands, or one each."""

    scale: tuple[Annotated[float, Field(gt=0)], ...] = (1.0, 1.5, 2.5)
    """Factor of each band's flux: one for all bands, or one each; the defaults are those of i, r, g."""

    @model_validator(mode="after")
    def _three_bands_fit(self) -> "LuptonSettings":
        for name, values in (("minimum", self.minimum), ("scale", self.scale)):
            if len(values) not in (1, 3):
                raise ValueError(f"{name} needs 1 or 3 numbers, not {len(values)}")
        return self


def name_source(service: str, survey: str) -> str:
    """What images of a survey from a service are called, where the user does not say otherwise."""
    return f"{service}-{survey}"


class CutoutsSettings(Settings):
    """Where the images are, how they frame their galaxies, and what their values become."""

    service: ServiceName = "folder"
    """`folder` takes images that are on disk; so does any other where a `folder` is named. The others fetch them, once,
    into the run: `skyserver` from SDSS's ImgCutout, `legacy` from the viewer of the Legacy Surveys, `hips` from
    hips2fits of the CDS, all in colour; `fits` fluxes of any bands, as `fits_from` says; `archive` from a tar or zip
    archive of JPEG files named by the identifier."""

    folder: str = ""
    """Folder of pictures (JPEG, PNG, TIFF, WebP, BMP or GIF), or of FITS files; links in it are followed."""

    side: Annotated[int, Field(ge=1, le=3000)] = 128
    """Side of the images that a service is asked for, in pixels. The paper, section 2: 128."""

    frame_arcsec: FieldArcsec = 0.0
    """Side on the sky of the images that a service is asked for, where the framing is `other`."""

    size: SizeOrigin = "column"
    """Where a service's `petrosian` frames have petroR90_r from: `column`, that of [catalog] petro_r90; `factor`,
    radius_column times radius_factor; `measured`, on a first, wider image of each galaxy."""

    radius_column: str = ""
    """Column of another radius in arcsec, for `size = "factor"`."""

    radius_factor: Annotated[float, Field(gt=0, le=100)] = 2.3
    """petroR90_r in units of radius_column. Of petroR50_r it is 2.29 for exponential discs and 3.35 for de Vaucouleurs
    profiles; of the half-light radius of the whole profile 2.27 and 2.39; seeing makes it smaller or larger, see
    docs/framing.md."""

    base_url: str = ""
    """Where the service is, of `legacy`, `hips` and `fits`; empty: at its usual place. Of `skyserver`, [skyserver] says
    it."""

    layer: Annotated[str, Field(pattern=_NAME_IN_ADDRESS)] = "sdss"
    """Of `legacy`, and of `fits` from there: `sdss`, `ls-dr9`, `ls-dr10`, …"""

    hips: Annotated[str, Field(pattern=_NAME_IN_ADDRESS.replace("/+-", "/+{}-"))] = "CDS/P/SDSS9/color"
    """The survey, of `hips`. Of `fits` from there, with `{band}` where each of `bands` stands; not set:
    `CDS/P/SDSS9/{band}`."""

    fits_from: FitsOrigin = "hips"
    """Where `fits` comes from: `hips`, hips2fits of the CDS, with a file for each band; `legacy`, the viewer of the
    Legacy Surveys, with one file of all bands."""

    archive: str = ""
    """Of `archive`: a file, or the address of one, which is fetched into the run."""

    archive_checksum: Annotated[str, Field(pattern=r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})?$")] = ""
    """Of the archive at an address, such as `md5:0123…`, as Zenodo shows it; empty: none is known."""

    retry_refused: bool = False
    """Whether a service is asked once more for images that it has refused."""

    framing: Framing = "petrosian"
    """Field of an image: `petrosian` is 5.05 petroR90_r (what the paper's images are), `fixed` is 37.9 arcsec,
    `fifteen` is 15 arcsec across (the draft's words, section 2), `other` anything else."""

    source: str = "sdss"
    """The survey and service that made the images. A model refuses images of another source. Not set: of `legacy`
    with its layer, such as `legacy-ls-dr10`, of `hips` with its survey, of `fits` with either."""

    bands: tuple[str, ...] = ("i", "r", "g")
    """The channels in order: of colour pictures, what red, green and blue are, of grey ones their one band; of
    FITS, the bands to take, 1 to 8."""

    picture_bands: tuple[str, ...] = ()
    """What red, green and blue of colour pictures are, where `bands` takes only some of them, or in another order;
    empty: `bands`, in order."""

    file_bands: tuple[str, ...] = ()
    """The bands of a FITS file's planes in order, where its keywords do not name them."""

    field_arcsec: FieldArcsec = 0.0
    """Side of the central square of a FITS image that is used, by the pixel scale of its WCS; 0 takes all of it."""

    deredden: str = ""
    """Column of the reddening of each galaxy by the Milky Way, E(B−V) in mag of Schlegel et al. 1998, such as
    `e_bv_sfd`: the fluxes of FITS are multiplied by 10^(0.4 · extinction · E(B−V)) before the stretch. Empty: they stay
    as they were observed."""

    extinction: tuple[float, ...] = ()
    """A / E(B−V) of each of `bands`, for `deredden`; not set: those of u, g, r, i, z of SDSS in Schlafly & Finkbeiner
    2011, ApJ 737, 103, table 6, for R_V = 3.1."""

    stretch: Stretch = "none"
    """What the fluxes of FITS become: `none` keeps them, `lupton` maps three bands to red, green and blue."""

    lupton: LuptonSettings = LuptonSettings()
    """How `lupton` maps them."""

    @property
    def is_fetched(self) -> bool:
        """Whether the images are fetched into the run, and not in a folder of the user's."""
        return self.service != "folder" and not self.folder

    def list_extinction(self) -> tuple[float, ...]:
        """A / E(B−V) of each of `bands`, as they are used; empty where fluxes stay as they were observed."""
        return list_extinction(self.bands, self.extinction) if self.deredden else ()

    @model_validator(mode="before")
    @classmethod
    def _name_source(cls, values: Any) -> Any:
        service = str(values.get("service")) if isinstance(values, Mapping) else ""
        place = {"legacy": "layer", "hips": "hips", "fits": "hips"}.get(service)
        if place is None:
            return values
        if service == "fits" and values.get("fits_from") == "legacy":
            place = "layer"
        elif service == "fits":
            values = {"hips": _HIPS_BY_BAND, **values}
        source = name_source(service, str(values.get(place, cls.model_fields[place].default)))
        given = str(values.get("source", source))
        if given.startswith(f"{service}-") and given != source:
            raise ValueError(f"source says '{given[:80]}', but what is fetched is '{source[:80]}'; leave source out")
        return {"source": source, **values}

    @model_validator(mode="after")
    def _bands_fit(self) -> "CutoutsSettings":
        check_bands(self.bands, self.file_bands, self.stretch)
        check_picture_bands(self.picture_bands)
        check_extinction(self.bands, self.deredden, self.extinction)
        is_fetched_fits = self.is_fetched and self.service == "fits"
        if self.deredden and self.is_fetched and not is_fetched_fits:
            raise ValueError(f'deredden is for the fluxes of FITS files; service = "{self.service}" gives pictures')
        survey = self.layer if self.fits_from == "legacy" else self.hips
        if self.deredden and is_fetched_fits and not self.extinction and "sdss" not in survey.casefold():
            raise ValueError(f"deredden knows the extinction in bands of SDSS, not of '{survey}'; set extinction")
        return self

    @model_validator(mode="after")
    def _frame_fits(self) -> "CutoutsSettings":
        if self.frame_arcsec and self.framing != "other":
            raise ValueError(f'frame_arcsec is for framing = "other"; "{self.framing}" tells it already')
        if self.is_fetched and self.service == "archive" and not self.archive:
            raise ValueError('service = "archive" needs archive = "FILE or address"')
        is_asked_for = self.is_fetched and self.service != "archive"
        if is_asked_for and self.framing == "other" and not self.frame_arcsec:
            raise ValueError('framing = "other" tells a service no size; set frame_arcsec')
        if self.size == "measured" and self.service != "skyserver":
            raise ValueError('size = "measured" needs service = "skyserver", the curve of whose pictures is known')
        if self.size != "column" and not (is_asked_for and self.framing == "petrosian"):
            raise ValueError(f'size = "{self.size}" is for a service and framing = "petrosian"')
        if (self.size == "factor") != bool(self.radius_column):
            raise ValueError('radius_column and size = "factor" belong together; set both, or neither')
        self._check_fits()
        if self.base_url and not re.fullmatch(r"https?://[^\s?#]+", self.base_url):
            shown = hide_secrets(self.base_url)[:80]
            raise ValueError(f"base_url is not an address that begins with https:// or http://: '{shown}'")
        if self.base_url and self.service == "skyserver":
            raise ValueError("the address of SkyServer is [skyserver] base_url; leave base_url out here")
        return self

    def _check_fits(self) -> None:
        is_fits = self.service == "fits"
        num_marks, rest = self.hips.count("{band}"), self.hips.replace("{band}", "")
        if is_fits and self.fits_from == "hips" and (num_marks != 1 or "{" in rest or "}" in rest):
            raise ValueError(f"hips needs {{band}} once, where each of bands stands, not '{self.hips[:80]}'")
        if self.service == "hips" and "{" in self.hips:
            raise ValueError('hips has {band}, which is for service = "fits"')
        long = next((band for band in self.bands if len(band) > 1), "")
        if is_fits and self.fits_from == "legacy" and long:
            raise ValueError(f"bands has '{long}', and the Legacy Surveys' viewer names bands by one letter")


class PixelsSettings(Settings):
    """The decoded images."""

    side: Side = 128
    """Side of the decoded images in pixels; other sizes are resampled by area. The paper, section 2: 128."""


class SplitsSettings(Settings):
    """How the galaxies are divided into training, validation and test sets."""

    method: Literal["random", "column", "sky", "ids", "folds"] = "random"
    """`random` is seeded and does not depend on the order of rows; `column` takes the user's own sets; `sky` is random
    too, but keeps galaxies together that are near each other, in frames that touch, or that have identical images;
    `ids` takes the test galaxies from a file and divides the others at random; `folds` tests one part of several, which
    together are all galaxies, for cross-validation."""

    column: str = ""
    """Column that says train, validation or test, for the method `column`."""

    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the methods `random`, `sky`, `ids` and `folds`."""

    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)
    """Parts for training, validation and test, of the methods `random` and `sky`; the paper, section 3.2: 60, 20 and
    20 %."""

    link_arcmin: Annotated[float, Field(ge=0.001, le=600)] = 1.0
    """Galaxies up to so far apart stay together, of the method `sky`."""

    test_ids: str = ""
    """File of the test galaxies' identifiers, for the method `ids`: a table, or one integer a line in a `.txt`."""

    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Part of the galaxies that are not for the test for validation, of the methods `ids` and `folds`; the authors'
    code: 0.2."""

    folds: Annotated[int, Field(ge=2, le=1000)] = 5
    """Parts of about equal size that the galaxies are divided into, of the method `folds`."""

    fold: Annotated[int, Field(ge=0)] = 0
    """Which of them is tested, counted from 0, of the method `folds`."""

    @model_validator(mode="after")
    def _parts_fit(self) -> "SplitsSettings":
        if min(self.fractions) < 0 or abs(sum(self.fractions) - 1) > 1e-6:
            raise ValueError(f"fractions must be at least 0 and add up to 1, not {list(self.fractions)}")
        if self.fractions[0] == 0 or self.fractions[2] == 0:
            raise ValueError("the fractions for training and test must be more than 0")
        if self.method == "column" and not self.column:
            raise ValueError('method = "column" needs column = "NAME"')
        if self.method == "ids" and not self.test_ids:
            raise ValueError('method = "ids" needs test_ids = "FILE"')
        if self.fold >= self.folds:
            raise ValueError(f"fold counts from 0: of {self.folds} folds the last is {self.folds - 1}, not {self.fold}")
        return self
