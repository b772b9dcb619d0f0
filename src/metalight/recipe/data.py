"""Settings of the stages that make the data: catalogue, cutouts, pixels, splits."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from metalight.recipe.base import Settings

Framing = Literal["petrosian", "fixed", "fifteen", "other"]
Side = Annotated[int, Field(ge=1, le=1024)]

MAX_BANDS = 8


def _check_differ(bands: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(bands)) < len(bands):
        raise ValueError("no band may be named twice")
    return bands


Bands = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=50)], ...],
    Field(min_length=1, max_length=MAX_BANDS),
    AfterValidator(_check_differ),
]


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

    bands: Bands = ("i", "r", "g")
    """The bands of an image's channels, in order: three for colour images (red, green, blue), one for grey ones."""


class PixelsSettings(Settings):
    """The decoded images."""

    side: Side = 128
    """Side of the decoded images in pixels; other sizes are resampled by area. The paper, section 2: 128."""


class SplitsSettings(Settings):
    """How the galaxies are divided into training, validation and test sets."""

    method: Literal["random", "column"] = "random"
    """`random` is seeded and does not depend on the order of rows; `column` takes the user's own sets."""

    column: str = ""
    """Column that says train, validation or test, for the method `column`."""

    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the random split."""

    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)
    """Parts for training, validation and test; the paper, section 3.2: 60, 20 and 20 %."""

    @model_validator(mode="after")
    def _parts_fit(self) -> "SplitsSettings":
        if min(self.fractions) < 0 or abs(sum(self.fractions) - 1) > 1e-6:
            raise ValueError(f"fractions must be at least 0 and add up to 1, not {list(self.fractions)}")
        if self.fractions[0] == 0 or self.fractions[2] == 0:
            raise ValueError("the fractions for training and test must be more than 0")
        if self.method == "column" and not self.column:
            raise ValueError('method = "column" needs column = "NAME"')
        return self
