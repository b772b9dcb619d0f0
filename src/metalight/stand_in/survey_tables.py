"""Content of the stand-in's tables: the catalogue of its survey, and plausible values of what that does not have.

Values that are made up depend on a galaxy's identifier alone, so they are the same in every run. They fit together, but
are not measurements, and a metallicity is never made up. The doubles have one flaw each, in turn: what the cuts of the
paper's query remove. One galaxy in fifty has a second primary spectrum, as in SDSS two may be of one photometric
object; one in ten has been observed again, which SpecObjAll tells. Each spectrum has errors of its own.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from metalight.simulation import relations
from metalight.stand_in.sky import Sky, draw_uniform

MISSING = -9999.0
"""Value that SDSS writes for a number that was not computed."""

FLAWS = {
    "oh_p50": MISSING,
    "rChi2": 2.5,
    "z": 0.015,
    "zErr": 0.02,
    "petroMag_r": 18.5,
    "modelMag_u": 26.0,
    "modelMag_z": MISSING,
}
"""What a double has instead of the value of its original; of each, one of these in turn."""

_BANDS = "ugriz"
_LINES = (
    *("h_alpha", "h_beta", "h_gamma", "h_delta", "nii_6584", "nii_6548"),
    *("oiii_5007", "oiii_4959", "sii_6717", "sii_6731"),
)
_EXTINCTION = {"u": 1.857, "g": 1.446, "r": 1.0, "i": 0.743, "z": 0.553}
"""In units of that in r: Schlafly & Finkbeiner 2011 (ApJ 737, 103), table 6, for R_V = 3.1."""

_FLAGGED = 0.03
"""Part of the galaxies whose redshift is flagged, and of those whose photometry is."""

_SMALL_DELTA_CHI2 = 4
"""A flag of zWarning: the next best redshift fits nearly as well."""

_FIRST_PLATE, _FIBERS = 900, 640
_BIT_OF_DAY = 24
_LATER_BY_DAYS = 1000


@dataclass(frozen=True)
class _Later:
    """A night on which some galaxies were observed again."""

    first_row: int
    galaxies_per_spectrum: int
    is_primary: bool
    salt: int


_NIGHTS = (_Later(3, 50, True, 60), _Later(6, 10, False, 61))

_Floats = npt.NDArray[np.float64]


def build_tables(sky: Sky) -> dict[str, pd.DataFrame]:
    """The tables by name, their key first; a row for each galaxy and double, and of spectra for each repeat."""
    columns = _Columns(sky)
    for fill in (_fill_identifiers, _fill_photometry, _fill_spectroscopy, _fill_derived, _fill_lines):
        fill(columns)
    columns.spoil_doubles()
    photometry = {
        "Galaxy": columns.pick(
            *("objID", "specObjID", "ra", "dec", "run", "rerun", "camcol", "field", "obj", "type", "mode", "clean"),
            *(f"{band}=modelMag_{band}" for band in _BANDS),
            *(f"modelMag_{band}" for band in _BANDS),
            *(f"modelMagErr_{band}" for band in _BANDS),
            *(f"petroMag_{band}" for band in _BANDS),
            *(f"extinction_{band}" for band in _BANDS),
            *("fiberMag_r", "petroR50_r", "petroR90_r", "expAB_r", "deVAB_r"),
        ),
    }
    spectra = {
        "SpecObjAll": columns.pick(
            *("specObjID", "bestObjID=objID", "fluxObjID=objID", "plate", "mjd", "fiberID", "ra=fiber_ra"),
            *("dec=fiber_dec", "z", "zErr", "zWarning", "class", "subclass", "rChi2", "velDisp", "velDispErr"),
            *("snMedian=sn_median", "sciencePrimary"),
        ),
        "galSpecInfo": columns.pick(
            *("specObjID", "plateid=plate", "mjd", "fiberid=fiberID", "ra=single_ra", "dec=single_dec"),
            *("targettype", "spectrotype=class", "subclass", "z", "z_err=zErr", "z_warning=zWarning"),
            *("v_disp=velDisp", "v_disp_err=velDispErr", "sn_median", "e_bv_sfd", "release", "reliable"),
        ),
        "galSpecExtra": columns.pick(
            "specObjID",
            "bptclass",
            *(f"oh_{percentile}" for percentile in _PERCENTILES),
            "oh_entropy",
            *(f"{name}_{percentile}" for name in _BAYESIAN for percentile in _PERCENTILES),
        ),
        "galSpecLine": columns.pick("specObjID", *(f"{line}_flux{end}" for line in _LINES for end in ("", "_err"))),
        "galSpecIndx": columns.pick("specObjID", "d4000_n", "d4000_n_err", "lick_hd_a", "lick_hd_a_err"),
    }
    return photometry | {name: _add_repeats(table, columns) for name, table in spectra.items()}


_PERCENTILES = ("p2p5", "p16", "p50", "p84", "p97p5")
_BAYESIAN = ("lgm_tot", "lgm_fib", "sfr_tot", "sfr_fib", "specsfr_tot")


def _add_repeats(table: pd.DataFrame, columns: "_Columns") -> pd.DataFrame:
    """A table of spectra, with some galaxies' second ones, of later nights, at its end."""
    tables = [table]
    for number, night in enumerate(_NIGHTS, start=1):
        rows = np.arange(night.first_row, columns.sky.num_galaxies, night.galaxies_per_spectrum)
        again = table.iloc[rows].copy()
        again["specObjID"] += number * _LATER_BY_DAYS << _BIT_OF_DAY
        if "mjd" in again:
            again["mjd"] += number * _LATER_BY_DAYS
        if "sciencePrimary" in again:
            again["sciencePrimary"] = int(night.is_primary)
        change = _draw_change_of_label(columns, night.salt)[rows]
        for name in again.columns[again.columns.str.startswith("oh_p")]:
            again[name] = np.where(again[name] == MISSING, MISSING, np.round(again[name] + change, 5))
        tables.append(again)
    return pd.concat(tables, ignore_index=True)


def _draw_change_of_label(columns: "_Columns", salt: int) -> _Floats:
    """How a metallicity measured again differs from the first: both are the true one with errors of the same size."""
    sigma = (columns["oh_p84"] - columns["oh_p16"]) / 2
    error = sigma * columns.normal(salt)
    if columns.sky.truth is None:
        return error
    true = columns.sky.truth["metallicity"].to_numpy(np.float64)[columns.sky.originals]
    return true - columns["oh_p50"] + error


class _Columns:
    """Columns by name: of the catalogue where it has them, else made up, in the order in which they are asked for."""

    def __init__(self, sky: Sky) -> None:
        self.sky = sky
        self.object_ids = sky.object_ids
        self._of_catalog = {str(name).strip().casefold(): name for name in sky.catalog}
        self._columns: dict[str, npt.NDArray[np.generic]] = {}

    def __getitem__(self, name: str) -> _Floats:
        column: _Floats = self._columns[name].astype(np.float64)
        return column

    def texts(self, name: str) -> npt.NDArray[np.generic]:
        """A column that holds no numbers."""
        return self._columns[name]

    def put(self, name: str, values: npt.ArrayLike) -> None:
        """A column whatever the catalogue says."""
        self._columns[name] = np.broadcast_to(np.asarray(values), self.object_ids.shape)

    def fill(self, name: str, made_up: npt.ArrayLike) -> None:
        """A column of the catalogue, or made-up values if it has none."""
        known = self._of_catalog.get(name.casefold())
        if known is None:
            self.put(name, made_up)
            return
        values = self.sky.catalog[known]
        if pd.api.types.is_numeric_dtype(values):
            # Rounding is undone by it, and integers of the catalogue that may be missing stay integers.
            kind = np.int64 if pd.api.types.is_integer_dtype(values) else np.float64
            filled = values.fillna(int(MISSING)).to_numpy(kind)
        else:
            filled = values.fillna("").astype(str).to_numpy(object)
        self.put(name, filled[self.sky.originals])

    def uniform(self, salt: int) -> _Floats:
        """Of each galaxy, from 0 to 1, alike for a galaxy and its double."""
        return draw_uniform(self.object_ids[self.sky.originals], salt)

    def normal(self, salt: int) -> _Floats:
        """Of each galaxy, standard normal."""
        return np.asarray(ndtri(np.clip(self.uniform(salt), 1e-9, 1 - 1e-9)))

    def spoil_doubles(self) -> None:
        """Give each double its flaw."""
        first = self.sky.num_galaxies
        for turn, (name, value) in enumerate(FLAWS.items()):
            column = self._columns[name].copy()
            column[first + turn :: len(FLAWS)] = value
            self._columns[name] = column
        is_without = self._columns["oh_p50"] == MISSING
        for percentile in _PERCENTILES:
            self._columns[f"oh_{percentile}"] = np.where(is_without, MISSING, self._columns[f"oh_{percentile}"])

    def pick(self, *names: str) -> pd.DataFrame:
        """A table of columns; `new=old` gives one of them another name."""
        pairs = [(name.partition("=")[0], name.rpartition("=")[2]) for name in names]
        return pd.DataFrame({new: self._columns[old] for new, old in pairs})


def _fill_identifiers(columns: _Columns) -> None:
    sky, object_ids = columns.sky, columns.object_ids
    columns.put("objID", object_ids)
    # The bits of an objID: run, rerun, camera column, field, object (SDSS documentation, as collected).
    bits = {"rerun": (48, 11), "run": (32, 16), "camcol": (29, 3), "field": (16, 12), "obj": (0, 16)}
    for name, (shift, width) in bits.items():
        columns.put(name, (object_ids >> shift) & ((1 << width) - 1))
    is_double = np.arange(len(object_ids)) >= sky.num_galaxies
    number = 2 * sky.originals + is_double
    plate, fiber = np.divmod(number, _FIBERS)
    plate, mjd = _FIRST_PLATE + plate % 7000, 2000 + plate // 7000
    columns.put("specObjID", (plate << 50) | ((fiber + 1) << 38) | (mjd << _BIT_OF_DAY) | (26 << 10))
    for name, values in (("plate", plate), ("mjd", mjd + 50000), ("fiberID", fiber + 1)):
        columns.put(name, values)
    columns.put("ra", sky.ra_deg)
    columns.put("dec", sky.dec_deg)
    # A fibre is not quite where the light is, and galSpecInfo has its place in single precision.
    fiber_dec = np.clip(sky.dec_deg + 0.1 / 3600 * columns.normal(1), -90, 90)
    away = 0.1 / 3600 * columns.normal(2) / np.maximum(np.cos(np.deg2rad(sky.dec_deg)), 1e-3)
    columns.put("fiber_ra", np.round((sky.ra_deg + away) % 360, 6))
    columns.put("fiber_dec", np.round(fiber_dec, 6))
    columns.put("single_ra", columns["fiber_ra"].astype(np.float32).astype(np.float64))
    columns.put("single_dec", columns["fiber_dec"].astype(np.float32).astype(np.float64))
    for name, value in (("type", 3), ("mode", 1), ("sciencePrimary", 1)):
        columns.put(name, value)
    columns.fill("clean", np.where(columns.uniform(3) < _FLAGGED, 0, 1))


def _fill_photometry(columns: _Columns) -> None:
    colours = {"u": 1.9, "g": 0.65, "r": 0.0, "i": -0.35, "z": -0.6}
    columns.fill("modelMag_r", np.round(17.7 - 2.5 * columns.uniform(10) ** 3, 5))
    for place, band in enumerate(_BANDS):
        colour = colours[band] * (1 + 0.15 * columns.normal(11 + place))
        columns.fill(f"modelMag_{band}", np.round(columns["modelMag_r"] + colour, 5))
        columns.fill(f"modelMagErr_{band}", 0.02)
    columns.fill("petroMag_r", np.round(columns["modelMag_r"] + 0.02, 5))
    columns.fill("fiberMag_r", np.round(columns["petroMag_r"] + 0.9 + 0.4 * columns.uniform(20), 5))
    for band in _BANDS:
        columns.fill(f"petroMag_{band}", np.round(columns[f"modelMag_{band}"] + 0.02, 5))
    columns.fill("petroR50_r", np.round(2.6 * np.exp(0.35 * columns.normal(21)), 5))
    columns.fill("petroR90_r", np.round(2.5 * columns["petroR50_r"], 5))
    columns.fill("e_bv_sfd", np.round(-0.03 * np.log1p(-columns.uniform(22)), 5))
    columns.fill("extinction_r", np.round(2.285 * columns["e_bv_sfd"], 5))
    for band in _BANDS:
        columns.fill(f"extinction_{band}", np.round(_EXTINCTION[band] * columns["extinction_r"], 5))
    truth = columns.sky.truth
    ratio = columns.uniform(23) * 0.7 + 0.25 if truth is None else truth["axis_ratio"].to_numpy()[columns.sky.originals]
    columns.fill("expAB_r", np.round(np.clip(ratio + 0.02 * columns.normal(24), 0.05, 1), 5))
    columns.fill("deVAB_r", np.round(np.clip(ratio + 0.03 * columns.normal(25), 0.05, 1), 5))


def _fill_spectroscopy(columns: _Columns) -> None:
    columns.fill("z", np.round(0.022 + 0.055 * -np.log1p(-0.98 * columns.uniform(30)), 8))
    columns.fill("zErr", 1.5e-5)
    columns.fill("zWarning", np.where(columns.uniform(34) < _FLAGGED, _SMALL_DELTA_CHI2, 0))
    columns.fill("rChi2", np.round(1 + 0.07 * columns.normal(31), 5))
    columns.fill("class", np.array("GALAXY", dtype=object))
    columns.fill("sn_median", np.round(14 * np.exp(0.35 * columns.normal(32)), 5))
    columns.fill("velDisp", np.round(90 * np.exp(0.4 * columns.normal(33)), 5))
    columns.fill("velDispErr", np.round(0.12 * columns["velDisp"], 5))
    columns.put("targettype", np.array("GALAXY", dtype=object))
    columns.put("release", np.array("dr8", dtype=object))
    columns.fill("reliable", 1)
    columns.fill("bptclass", 1)


def _fill_derived(columns: _Columns) -> None:
    columns.fill("oh_p50", MISSING)
    columns.fill("oh_entropy", np.round(2.5 + 0.2 * columns.normal(44), 5))
    metallicity = np.where(columns["oh_p50"] > 0, columns["oh_p50"], 8.9)
    columns.fill("lgm_tot_p50", np.round(10 + 2.2 * (metallicity - 8.95) + 0.25 * columns.normal(40), 5))
    main_sequence = relations.compute_main_sequence(columns["lgm_tot_p50"])
    columns.fill("sfr_tot_p50", np.round(main_sequence + 0.3 * columns.normal(41), 5))
    in_fiber = -0.4 * np.clip(columns["fiberMag_r"] - columns["petroMag_r"], 0, None)
    columns.fill("lgm_fib_p50", np.round(columns["lgm_tot_p50"] + in_fiber, 5))
    columns.fill("sfr_fib_p50", np.round(columns["sfr_tot_p50"] + in_fiber, 5))
    columns.fill("specsfr_tot_p50", np.round(columns["sfr_tot_p50"] - columns["lgm_tot_p50"], 5))
    for name, error in (("oh", 0.04), *((name, 0.1 if name.startswith("lgm") else 0.2) for name in _BAYESIAN)):
        _fill_percentiles(columns, name, error)
    specific = columns["sfr_tot_p50"] - columns["lgm_tot_p50"]
    is_burst = specific > -9.5
    is_quasar = columns.texts("class") == "QSO"
    subclass = np.where(is_quasar, "BROADLINE", np.where(is_burst, "STARBURST", "STARFORMING")).astype(object)
    columns.fill("subclass", subclass)
    columns.fill("d4000_n", np.round(np.clip(1.25 - 0.25 * (specific + 10), 1.0, 1.9), 5))
    columns.fill("d4000_n_err", 0.02)
    columns.fill("lick_hd_a", np.round(4 + 3 * np.clip(specific + 10, -2, 1), 5))
    columns.fill("lick_hd_a_err", 0.4)


def _fill_percentiles(columns: _Columns, name: str, error: float) -> None:
    """The other percentiles of a Gaussian; the outer ones are 2 σ away."""
    middle = columns[f"{name}_p50"]
    is_missing = middle == MISSING
    columns.fill(f"{name}_p16", np.where(is_missing, MISSING, np.round(middle - error, 5)))
    columns.fill(f"{name}_p84", np.where(is_missing, MISSING, np.round(middle + error, 5)))
    for outer, inner in (("p2p5", "p16"), ("p97p5", "p84")):
        away = 2 * (columns[f"{name}_{inner}"] - middle)
        columns.fill(f"{name}_{outer}", np.where(is_missing, MISSING, np.round(middle + away, 5)))


def _fill_lines(columns: _Columns) -> None:
    """Fluxes in 1e-17 erg/s/cm²; the ratios follow the metallicity as strong lines do, in our own rough fit."""
    metallicity = np.where(columns["oh_p50"] > 0, columns["oh_p50"], 8.9)
    h_alpha = 300 * 10 ** (0.4 * (18 - columns["fiberMag_r"]) + 0.3 * columns.normal(50))
    h_beta = h_alpha / (2.86 * 10 ** (0.25 * columns.uniform(51)))
    nii = h_alpha * 10 ** np.clip(-0.45 + 1.2 * (metallicity - 9), -1.5, -0.2)
    oiii = h_beta * 10 ** np.clip(0.6 - 1.6 * (metallicity - 8.5), -1, 0.7)
    sii = 0.2 * h_alpha
    fluxes = {
        "h_alpha": h_alpha,
        "h_beta": h_beta,
        "h_gamma": 0.47 * h_beta,
        "h_delta": 0.26 * h_beta,
        "nii_6584": nii,
        "nii_6548": nii / 3,
        "oiii_5007": oiii,
        "oiii_4959": oiii / 3,
        "sii_6717": 0.58 * sii,
        "sii_6731": 0.42 * sii,
    }
    for line in _LINES:
        columns.fill(f"{line}_flux", np.round(fluxes[line], 4))
        columns.fill(f"{line}_flux_err", np.round(1 + 0.02 * fluxes[line], 4))
