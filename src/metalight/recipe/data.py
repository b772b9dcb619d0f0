"""Settings of the stages that make the data: catalogue, cutouts, pixels, splits."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from metalight.recipe.base import Settings

Framing = Literal["petrosian", "fixed", "fifteen", "other"]


class CatalogSettings(Settings):
    """Which galaxies, and how the user's columns are named."""

    path: str = ""
    """The catalogue, one row a galaxy: CSV, ECSV, VOTable or FITS, also with .gz, or Parquet; or a folder of Parquet
    parts, or a pattern for them such as `parts/part-*.parquet`."""

    object_id: str = "object_id"
    """Column of the galaxies' integer identifiers. Here and below, a name may differ from the table's in case."""

    targets: tuple[str, ...] = ("metallicity",)
    """Columns to learn to predict. Galaxies that lack one are refused, listed and counted."""

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

    @model_validator(mode="after")
    def _targets_are_named(self) -> "CatalogSettings":
        if not self.targets or not all(self.targets):
            raise ValueError("name at least one column to predict")
        return self


class CutoutsSettings(Settings):
    """Where the images are, and how they frame their galaxies."""

    folder: str = ""
    """Folder of JPEG or PNG images."""

    framing: Framing = "petrosian"
    """Field of an image: `petrosian` is 5.05 petroR90_r (what the paper's images are), `fixed` is 37.9 arcsec,
    `fifteen` is 15 arcsec across (the draft's words, section 2), `other` anything else."""

    source: str = "sdss"
    """The survey and service that made the images. A model refuses images of another source."""


class PixelsSettings(Settings):
    """The decoded images."""

    side: Annotated[int, Field(ge=1, le=1024)] = 128
    """Side of the decoded images in pixels; other sizes are resampled by area. The paper, section 2: 128."""


class SplitsSettings(Settings):
    """How the galaxies are divided into training, validation and test sets."""

    method: Literal["random", "column", "sky", "ids"] = "random"
    """`random` is seeded and does not depend on the order of rows; `column` takes the user's own sets; `sky` is random
    too, but keeps galaxies together that are near each other, in frames that touch, or that have identical images;
    `ids` takes the test galaxies from a file and divides the others at random."""

    column: str = ""
    """Column that says train, validation or test, for the method `column`."""

    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the methods `random`, `sky` and `ids`."""

    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)
    """Parts for training, validation and test, of the methods `random` and `sky`; the paper, section 3.2: 60, 20 and
    20 %."""

    link_arcmin: Annotated[float, Field(ge=0.001, le=600)] = 1.0
    """Galaxies up to so far apart stay together, of the method `sky`."""

    test_ids: str = ""
    """File of the test galaxies' identifiers, for the method `ids`: a table, or one integer a line in a `.txt`."""

    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Part of the galaxies that are not in `test_ids` for validation, of the method `ids`; the authors' code: 0.2."""

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
        return self
