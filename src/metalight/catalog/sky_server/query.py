"""The queries for SkyServer: the paper's query, with more columns, in pages; and the other spectra of galaxies.

The text is plain SQL but for `TOP n`, which databases other than SkyServer's call `LIMIT n`. It is written closely: a
query is part of an address, of which servers of SkyServer's kind take 2,048 characters (astroquery issue 2211).

Positions are those of the photometry, G.ra and G.dec in double precision: those of galSpecInfo are of fibres and in
single precision, which is up to 0.055 arcsec off. SpecObj is the view of the primary spectra, one for each place on the
sky; the tables of MPA-JHU have the repeated ones too, which the join leaves out. SpecObjAll has them as well.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from metalight.catalog import spread
from metalight.catalog.sdss_cuts import require_named_cut
from metalight.tables import ColumnInfo

Kind = Literal["id", "integer", "number", "text"]


@dataclass(frozen=True)
class SkyServerColumn:
    """One column of the answer."""

    name: str
    sql: str
    """Of which table and column it is."""

    kind: Kind
    info: ColumnInfo


_FROM = (
    "FROM SpecObj AS S JOIN Galaxy AS G ON S.bestObjID=G.objID"
    " JOIN galSpecLine AS L ON S.specObjID=L.specObjID JOIN galSpecInfo AS I ON S.specObjID=I.specObjID"
    " JOIN galSpecIndx AS X ON S.specObjID=X.specObjID JOIN galSpecExtra AS E ON S.specObjID=E.specObjID"
)

_PERCENTILES = {"p2p5": "2.5th", "p16": "16th", "p50": "", "p84": "84th", "p97p5": "97.5th"}
_QUANTITIES = {
    "oh": ("dex", "12 + log10(O/H)", tuple(_PERCENTILES)),
    "lgm_tot": ("dex", "log10(M*/Msun)", ("p16", "p50", "p84")),
    "lgm_fib": ("dex", "log10(M*/Msun) in the fibre", ("p50",)),
    "sfr_tot": ("dex", "log10(SFR / (Msun/yr))", ("p16", "p50", "p84")),
    "sfr_fib": ("dex", "log10(SFR / (Msun/yr)) in the fibre", ("p50",)),
}
_LINES = ("h_alpha", "h_beta", "nii_6584", "oiii_5007", "h_delta")
_BPT_CLASSES = "-1 none, 1 star-forming, 2 the same with noise, 3 composite, 4 AGN, 5 LINER"
_LINE_UNIT = "1e-17 erg / (s cm2)"


def _list_columns() -> list[SkyServerColumn]:
    columns = [
        _column("objID", "G.objID", "id", "", "Identifier of the photometric object"),
        _column("specObjID", "S.specObjID", "id", "", "Identifier of the spectrum"),
        _column("ra", "G.ra", "number", "deg", "Right ascension of the photometric object, J2000"),
        _column("dec", "G.dec", "number", "deg", "Declination of the photometric object, J2000"),
        _column("z", "S.z", "number", "", "Redshift"),
        _column("zErr", "S.zErr", "number", "", "Error of the redshift"),
        _column("zWarning", "S.zWarning", "integer", "", "Flags of the redshift; 0 is without trouble"),
        _column("rChi2", "S.rChi2", "number", "", "Reduced chi squared of the redshift's template"),
        _column("class", "S.class", "text", "", "GALAXY, QSO or STAR, by the spectrum"),
        _column("subclass", "S.subClass", "text", "", "Kind within the class, by the spectrum"),
        _column("sn_median", "I.sn_median", "number", "", "Median signal to noise of the spectrum, a pixel"),
        _column("e_bv_sfd", "I.e_bv_sfd", "number", "mag", "Reddening by the Milky Way"),
        _column("extinction_r", "G.extinction_r", "number", "mag", "Extinction by the Milky Way in r"),
    ]
    for name, told in (("modelMag", "Model magnitude"), ("modelMagErr", "Error of the model magnitude")):
        columns += [
            _column(f"{name}_{band}", f"G.{name}_{band}", "number", "mag", f"{told} in {band}") for band in "ugriz"
        ]
    columns += [
        _column("petroMag_r", "G.petroMag_r", "number", "mag", "Petrosian magnitude in r"),
        _column("fiberMag_r", "G.fiberMag_r", "number", "mag", "Magnitude in r within 3 arcsec"),
        _column("petroR50_r", "G.petroR50_r", "number", "arcsec", "Radius of 50 % of the Petrosian light in r"),
        _column("petroR90_r", "G.petroR90_r", "number", "arcsec", "Radius of 90 % of the Petrosian light in r"),
        _column("expAB_r", "G.expAB_r", "number", "", "Axis ratio of the exponential fit in r"),
        _column("deVAB_r", "G.deVAB_r", "number", "", "Axis ratio of the de Vaucouleurs fit in r"),
        _column("clean", "G.clean", "integer", "", "1: photometry without trouble"),
        _column("run", "G.run", "integer", "", "Imaging run"),
        _column("camcol", "G.camcol", "integer", "", "Camera column"),
        _column("field", "G.field", "integer", "", "Field of the run"),
        _column("reliable", "I.reliable", "integer", "", "1: MPA-JHU trust what they derived"),
        _column("bptclass", "E.bptclass", "integer", "", _BPT_CLASSES),
    ]
    for name, (unit, told, percentiles) in _QUANTITIES.items():
        for percentile in percentiles:
            which = f", {_PERCENTILES[percentile]} percentile" if percentile != "p50" else ""
            columns.append(_column(f"{name}_{percentile}", f"E.{name}_{percentile}", "number", unit, told + which))
    columns += [
        _column("velDisp", "S.velDisp", "number", "km / s", "Velocity dispersion"),
        _column("velDispErr", "S.velDispErr", "number", "km / s", "Error of the velocity dispersion"),
    ]
    for line in _LINES:
        columns += [
            _column(f"{line}_flux", f"L.{line}_flux", "number", _LINE_UNIT, f"Flux of {line}"),
            _column(f"{line}_flux_err", f"L.{line}_flux_err", "number", _LINE_UNIT, f"Error of the flux of {line}"),
        ]
    columns += [
        _column("d4000_n", "X.d4000_n", "number", "", "Break at 4000 Å"),
        _column("d4000_n_err", "X.d4000_n_err", "number", "", "Error of the break at 4000 Å"),
    ]
    return columns


def _column(name: str, sql: str, kind: Kind, unit: str, description: str) -> SkyServerColumn:
    return SkyServerColumn(name, sql, kind, ColumnInfo(unit, description))


SKY_SERVER_COLUMNS = tuple(_list_columns())
"""In the order of the answer."""

COUNT_COLUMN = "num"
"""The column of the answer that has the number of galaxies."""

REPEATED_COLUMNS = (
    _column("objID", "S.bestObjID", "id", "", "Identifier of the photometric object"),
    *(
        column
        for column in SKY_SERVER_COLUMNS
        if column.name in ("specObjID", "z", "sn_median", "oh_p16", "oh_p50", "oh_p84")
    ),
)
"""Of the other spectra of galaxies, in the order of the answer."""

Key = tuple[int, int]
"""objID and specObjID, by which pages are ordered."""

_AND = " AND "
_FROM_REPEATED = (
    "FROM SpecObjAll AS S JOIN galSpecInfo AS I ON S.specObjID=I.specObjID"
    " JOIN galSpecExtra AS E ON S.specObjID=E.specObjID"
)


def build_page_query(
    cuts: Sequence[str], num_rows: int, after: Key | None = None, *, ranks_below: int = spread.NUM_RANKS
) -> str:
    """The SQL of up to so many galaxies that pass cuts, in the order of their identifiers.

    Args:
        cuts: Names of cuts.
        num_rows: The most to ask for.
        after: Of the last galaxy of the page before. Two primary spectra may be of one photometric object: with its
            identifier alone, a page that ends between them would lose the second.
        ranks_below: Only those of lower ranks, as of `metalight.catalog.spread`.
    """
    conditions = _list_conditions(cuts, ranks_below)
    return _build_page(SKY_SERVER_COLUMNS, _FROM, conditions, num_rows, "G.objID", after)


def build_count_query(cuts: Sequence[str], *, ranks_below: int = spread.NUM_RANKS) -> str:
    """The SQL of how many galaxies pass cuts, of those of lower ranks."""
    return f"SELECT COUNT(*) AS {COUNT_COLUMN}\n{_FROM}{_join(_list_conditions(cuts, ranks_below))}"


def build_repeats_query(num_rows: int, after: Key | None = None, *, ranks_below: int = spread.NUM_RANKS) -> str:
    """The SQL of up to so many spectra that are not the best ones of their galaxies, but have a metallicity.

    Args:
        num_rows: The most to ask for.
        after: Of the last spectrum of the page before.
        ranks_below: Only those of galaxies of lower ranks.
    """
    conditions = ["S.sciencePrimary=0", "I.reliable=1", *_list_conditions(("metallicity",), ranks_below)]
    return _build_page(REPEATED_COLUMNS, _FROM_REPEATED, conditions, num_rows, "S.bestObjID", after)


def _build_page(
    columns: Sequence[SkyServerColumn], tables: str, conditions: list[str], num_rows: int, key: str, after: Key | None
) -> str:
    selected = ",".join(
        column.sql if column.sql.endswith(f".{column.name}") else f"{column.sql} AS {column.name}" for column in columns
    )
    if after is not None:
        object_id, spectrum_id = after
        conditions = [*conditions, f"({key}>{object_id} OR ({key}={object_id} AND S.specObjID>{spectrum_id}))"]
    return f"SELECT TOP {num_rows} {selected}\n{tables}{_join(conditions)}\nORDER BY {key},S.specObjID"


def _list_conditions(cuts: Sequence[str], ranks_below: int) -> list[str]:
    conditions = [require_named_cut(name).sql for name in cuts]
    if ranks_below < spread.NUM_RANKS:
        # Of the spectrum: so it is not asked of the photometry of all the others.
        conditions.insert(0, spread.build_condition("S.bestObjID", ranks_below))
    return conditions


def _join(conditions: Sequence[str]) -> str:
    if not conditions:
        return ""
    joined = _AND.join(conditions)
    return "\nWHERE " + re.sub(r"\s*([<>=]+|\s[-]\s)\s*", lambda found: found[1].strip(), joined)
