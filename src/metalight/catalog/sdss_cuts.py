"""Cuts of an SDSS catalogue by name: those of the paper's query, and others that a sample may want.

A cut is on columns as SDSS spells them, so any table that has these can be cut. Limits are themselves outside: a galaxy
at redshift 0.02 is not above it. A column of 32-bit numbers is compared in 32 bits, as the database does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.catalog.cuts import Cut, build_cut
from metalight.errors import CatalogError, name_nearest
from metalight.tables import Table, find_column, require_numbers

_NOT_COMPUTED = -9999
"""Values that stand for "missing" in the MPA-JHU catalogue and the photometry of SDSS."""

_PAPER = "Wu & Boada 2019, the authors' query"
_BANDS = ("u", "g", "r", "i", "z")

_Values = npt.NDArray[Any]
_Flaws = dict[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class NamedCut:
    """One cut that can be asked for by its name."""

    name: str
    """As `[catalog] cuts` has it."""

    condition: str
    """The condition that galaxies must meet, in the names of columns."""

    why: str
    """Why they must."""

    source: str
    """Who made this cut, or whose finding it rests on."""

    columns: tuple[str, ...]
    """That it reads."""

    sql: str
    """The same of a database: S is SpecObj, G Galaxy, I galSpecInfo, E galSpecExtra. A value that stands for a missing
    one may pass here."""

    find_flaws: Callable[[Mapping[str, _Values]], _Flaws]
    """Masks of the galaxies that have a value of each column, but fail, by the reason."""

    is_of_text: bool = False
    """Whether the columns hold text."""


def _limit(
    quantity: str,
    compute: Callable[[Mapping[str, _Values]], _Values],
    low: float | None = None,
    high: float | None = None,
) -> Callable[[Mapping[str, _Values]], _Flaws]:
    """Flaws of values that are not between two limits, both outside."""

    def find_flaws(values: Mapping[str, _Values]) -> _Flaws:
        numbers = compute(values)
        flaws: _Flaws = {}
        if low is not None:
            flaws[f"{quantity} is not above {low:g}"] = ~(numbers > low)
        if high is not None:
            flaws[f"{quantity} is not below {high:g}"] = ~(numbers < high)
        return flaws

    return find_flaws


def _limit_magnitudes(values: Mapping[str, _Values]) -> _Flaws:
    flaws: _Flaws = {}
    for band in _BANDS:
        flaws |= _limit(f"modelMag_{band}", itemgetter(f"modelMag_{band}"), 10, 25)(values)
    return flaws


def _compute_covering_fraction(values: Mapping[str, _Values]) -> _Values:
    """The part of a galaxy's light in r that falls into the fibre."""
    with np.errstate(over="ignore"):
        fraction: _Values = 10 ** (-0.4 * (values["fiberMag_r"] - values["petroMag_r"]))
    return fraction


_CUTS = (
    NamedCut(
        "petro_magnitude",
        "petroMag_r > 10 and < 18",
        "brighter galaxies are too large for their photometry, fainter ones too faint for their spectra",
        _PAPER,
        ("petroMag_r",),
        "G.petroMag_r > 10 AND G.petroMag_r < 18",
        _limit("petroMag_r", itemgetter("petroMag_r"), 10, 18),
    ),
    NamedCut(
        "colour",
        "modelMag_u - modelMag_r > 0 and < 6",
        "other colours are failed photometry",
        _PAPER,
        ("modelMag_u", "modelMag_r"),
        "(G.modelMag_u - G.modelMag_r) > 0 AND (G.modelMag_u - G.modelMag_r) < 6",
        _limit("modelMag_u - modelMag_r", lambda values: values["modelMag_u"] - values["modelMag_r"], 0, 6),
    ),
    NamedCut(
        "model_magnitudes",
        "modelMag > 10 and < 25 in u, g, r, i, z",
        "other magnitudes are failed photometry",
        _PAPER,
        tuple(f"modelMag_{band}" for band in _BANDS),
        " AND ".join(f"G.modelMag_{band} > 10 AND G.modelMag_{band} < 25" for band in _BANDS),
        _limit_magnitudes,
    ),
    NamedCut(
        "spectral_fit",
        "rChi2 < 2",
        "the spectrum is not that of the template, so its redshift may be wrong",
        _PAPER,
        ("rChi2",),
        "S.rChi2 < 2",
        _limit("rChi2", itemgetter("rChi2"), high=2),
    ),
    NamedCut(
        "redshift_error",
        "zErr > 0 and < 0.01",
        "an error of 0 or below is a code for a failed redshift, a large one is not a redshift",
        _PAPER,
        ("zErr",),
        "S.zErr > 0 AND S.zErr < 0.01",
        _limit("zErr", itemgetter("zErr"), 0, 0.01),
    ),
    NamedCut(
        "redshift",
        "z > 0.02",
        "nearer, the 3 arcsec fibre sees only the core",
        f"{_PAPER}; the draft's 0.2 is a misprint: the sample's median is 0.07",
        ("z",),
        "S.z > 0.02",
        _limit("z", itemgetter("z"), 0.02),
    ),
    NamedCut(
        "metallicity",
        "has oh_p50",
        "-9999 is not computed, for want of star-forming lines; it is not a failed fit",
        _PAPER,
        ("oh_p50",),
        "E.oh_p50 <> -9999",
        lambda values: {},
    ),
    NamedCut(
        "class_galaxy",
        "class = GALAXY",
        "a quasar's light is not that of its stars and gas; MPA-JHU keep those targeted as galaxies",
        "SDSS documentation of SpecObj",
        ("class",),
        "S.class = 'GALAXY'",
        lambda values: {"class is not GALAXY": values["class"] != "GALAXY"},
        is_of_text=True,
    ),
    NamedCut(
        "reliable",
        "reliable = 1",
        "MPA-JHU advise not to use what they derived from the others",
        "SDSS documentation of galSpecInfo",
        ("reliable",),
        "I.reliable = 1",
        lambda values: {"reliable is not 1": values["reliable"] != 1},
    ),
    NamedCut(
        "bpt_star_forming",
        "bptclass = 1",
        "lines of an active nucleus do not tell metallicity",
        "SDSS documentation of galSpecExtra; Brinchmann et al. 2004",
        ("bptclass",),
        "E.bptclass = 1",
        lambda values: {"bptclass is not 1": values["bptclass"] != 1},
    ),
    NamedCut(
        "signal_to_noise",
        "sn_median > 10",
        "noisier spectra have noisier metallicities",
        "the selection of a later study of the same question (Mitchell 2026)",
        ("sn_median",),
        "I.sn_median > 10",
        _limit("sn_median", itemgetter("sn_median"), 10),
    ),
    NamedCut(
        "fibre_fraction",
        "10^(-0.4 (fiberMag_r - petroMag_r)) > 0.2",
        "with less of the light in the fibre, the metallicity is that of the nucleus",
        "Kewley et al. 2005",
        ("fiberMag_r", "petroMag_r"),
        # 2.5 log10(5), a little more: rounding refuses no galaxy here that has more than 0.2.
        "(G.fiberMag_r - G.petroMag_r) < 1.74743",
        _limit("the part of light in the fibre", _compute_covering_fraction, 0.2),
    ),
    NamedCut(
        "redshift_above_0.04",
        "z > 0.04",
        "nearer, the fibre has less than a fifth of the light of most galaxies",
        "Kewley et al. 2005",
        ("z",),
        "S.z > 0.04",
        _limit("z", itemgetter("z"), 0.04),
    ),
    NamedCut(
        "z_warning",
        "zWarning = 0",
        "any flag means that the redshift, and all that rests on it, may be wrong",
        "SDSS documentation of SpecObj",
        ("zWarning",),
        "S.zWarning = 0",
        lambda values: {"zWarning is not 0": values["zWarning"] != 0},
    ),
    NamedCut(
        "photometry_clean",
        "clean = 1",
        "SDSS flags the photometry of the others: blended, saturated, or hit by a cosmic ray or an artefact",
        "SDSS documentation of PhotoObjAll",
        ("clean",),
        "G.clean = 1",
        lambda values: {"clean is not 1": values["clean"] != 1},
    ),
)

SDSS_CUTS: dict[str, NamedCut] = {cut.name: cut for cut in _CUTS}
"""Every cut that has a name."""

PAPER_CUTS: tuple[str, ...] = tuple(cut.name for cut in _CUTS if cut.source.startswith(_PAPER))
"""Those of the paper's sample, in the order of the authors' query."""


def list_cuts(words: Sequence[str], *, is_selection: bool) -> tuple[str, ...]:
    """The cuts that the words of `[catalog] cuts` mean, each once, in order.

    Args:
        words: Names of cuts; `paper` for those of the paper, `auto` for the same or for none.
        is_selection: Whether galaxies are selected from SDSS, where `auto` stands for those of the paper.
    """
    meant = {"paper": PAPER_CUTS, "auto": PAPER_CUTS if is_selection else ()}
    return tuple(dict.fromkeys(name for word in words for name in meant.get(word, (word,))))


def find_named_cuts(table: Table, names: Sequence[str], *, path: Path | str) -> list[Cut]:
    """How named cuts meet the galaxies of a table: a galaxy without a value of a column fails.

    Args:
        table: With the columns of the cuts, in any case of letters.
        names: Of the cuts, in order.
        path: Where the table comes from, for the messages.

    Raises:
        CatalogError: There is no cut of a name.
        TableError: The table lacks a column, or one does not hold what it should.
    """
    return [_meet(require_named_cut(name), table, path) for name in names]


def require_named_cut(name: str) -> NamedCut:
    """The cut of that name.

    Raises:
        CatalogError: There is none.
    """
    if name not in SDSS_CUTS:
        raise CatalogError(f"There is no cut '{name}' for [catalog] cuts.{name_nearest(name, list(SDSS_CUTS))}")
    return SDSS_CUTS[name]


def _meet(cut: NamedCut, table: Table, path: Path | str) -> Cut:
    values, flaws = {}, {}
    for column in cut.columns:
        found = find_column(table, column, path=path, role=f"the cut '{cut.name}' of [catalog] cuts")
        if cut.is_of_text:
            values[column], is_missing = _read_text(table, found)
        else:
            values[column], is_missing = _read_numbers(table, found, path)
            flaws[f"{column} is infinite"] = np.isinf(values[column])
        flaws[f"has no {column}"] = is_missing
    with np.errstate(invalid="ignore"):
        flaws |= cut.find_flaws(values)
    return build_cut(cut.condition, cut.why, "cuts", flaws, source=cut.source)


def _read_numbers(table: Table, column: str, path: Path | str) -> tuple[_Values, npt.NDArray[np.bool_]]:
    given = table.frame[column]
    if pd.api.types.is_bool_dtype(given.dtype):
        table = Table(pd.DataFrame({column: given.astype("Int64")}))
    numbers: _Values = require_numbers(table, column, path=path)
    if given.dtype == np.float32:
        numbers = numbers.astype(np.float32)
    return numbers, np.isnan(numbers) | (numbers == _NOT_COMPUTED)


def _read_text(table: Table, column: str) -> tuple[_Values, npt.NDArray[np.bool_]]:
    # A database pads text of a fixed width with blanks.
    words = [value.strip() if isinstance(value, str) else "" for value in table.frame[column].tolist()]
    texts = np.array(words, dtype=object)
    return texts, texts == ""
