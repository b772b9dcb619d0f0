"""Columns that the selection takes from the files, under the names that SkyServer gives them.

Units and meaning are those of SDSS's data model of the galSpec files and of its schema browser. The files spell names
in capitals; some differ from SkyServer's: Z_ERR is zErr.
"""

from metalight.tables import ColumnInfo

_FLUX = "1e-17 erg/s/cm2"
_PERCENTILES = {"2P5": "2.5th", "16": "16th", "50": "50th", "84": "84th", "97P5": "97.5th"}
_LINES = {
    "H_ALPHA": "H alpha",
    "H_BETA": "H beta",
    "NII_6584": "[N II] 6584",
    "OIII_5007": "[O III] 5007",
    "H_DELTA": "H delta",
}
_METALLICITY = "12 + log10(O/H), Bayesian, Tremonti et al. 2004, of the fibre"
_MASS, _RATE = "log10(M*/Msun)", "log10(SFR / (Msun/yr))"


def _list_percentiles(stem: str, what: str, percentiles: tuple[str, ...]) -> dict[str, ColumnInfo]:
    return {f"{stem}_P{name}": ColumnInfo("dex", f"{what}, {_PERCENTILES[name]} percentile") for name in percentiles}


def _list_lines() -> dict[str, ColumnInfo]:
    fluxes: dict[str, ColumnInfo] = {}
    for name, line in _LINES.items():
        fluxes[f"{name}_FLUX"] = ColumnInfo(_FLUX, f"flux of {line}")
        fluxes[f"{name}_FLUX_ERR"] = ColumnInfo(_FLUX, f"its error, of {line}")
    return fluxes


FILE_COLUMNS: dict[str, dict[str, ColumnInfo]] = {
    "info": {
        "Z": ColumnInfo("", "redshift"),
        "Z_ERR": ColumnInfo("", "error of the redshift"),
        "Z_WARNING": ColumnInfo("", "0 if nothing is wrong with the redshift"),
        "V_DISP": ColumnInfo("km/s", "velocity dispersion"),
        "V_DISP_ERR": ColumnInfo("km/s", "its error; negative for an invalid fit"),
        "SN_MEDIAN": ColumnInfo("", "median signal to noise per pixel of the spectrum"),
        "E_BV_SFD": ColumnInfo("mag", "E(B-V) of the Galaxy, Schlegel et al. 1998"),
        "RELIABLE": ColumnInfo("", "1 if the MPA-JHU results are to be used"),
        "SPECTROTYPE": ColumnInfo("", "class of the spectrum: GALAXY, QSO or STAR"),
        "SUBCLASS": ColumnInfo("", "subclass of the spectrum"),
    },
    "extra": {
        "BPTCLASS": ColumnInfo(
            "", "-1 none, 1 star-forming, 2 the same at low S/N, 3 composite, 4 AGN, 5 LINER at low S/N"
        ),
        **_list_percentiles("OH", _METALLICITY, ("2P5", "16", "50", "84", "97P5")),
        **_list_percentiles("LGM_TOT", f"{_MASS}, total", ("16", "50", "84")),
        **_list_percentiles("LGM_FIB", f"{_MASS}, within the fibre", ("50",)),
        **_list_percentiles("SFR_TOT", f"{_RATE}, total", ("16", "50", "84")),
        **_list_percentiles("SFR_FIB", f"{_RATE}, within the fibre", ("50",)),
    },
    "line": _list_lines(),
    "indx": {
        "D4000_N": ColumnInfo("", "4000 Å break, narrow, Balogh et al. 1999"),
        "D4000_N_ERR": ColumnInfo("", "its error"),
    },
    "spec_obj": {
        "RCHI2": ColumnInfo("", "reduced chi-squared of the redshift's fit"),
        "CLASS": ColumnInfo("", "class of the spectrum: GALAXY, QSO or STAR"),
        "SUBCLASS": ColumnInfo("", "subclass of the spectrum"),
    },
}
"""By role of the file and name in it. Where specObj is there, its class and subclass stand for those of galSpecInfo."""

_RENAMED = {
    "Z_ERR": "zErr",
    "Z_WARNING": "zWarning",
    "V_DISP": "velDisp",
    "V_DISP_ERR": "velDispErr",
    "SPECTROTYPE": "class",
    "RCHI2": "rChi2",
}

ROW_KEYS = (("PLATEID", "PLATE"), ("MJD",), ("FIBERID",))
"""What all files say of a row that have it, and by which they are seen to be row-matched; besides SPECOBJID."""

PLATE_COLUMNS = ("plate", "mjd", "fiberID")
"""What the selection calls them."""


def name_column(name: str) -> str:
    """SkyServer's name for a column of the files."""
    return _RENAMED.get(name, name.lower())


def describe_columns() -> dict[str, ColumnInfo]:
    """Unit and meaning of all columns that the selection may have, by SkyServer's name."""
    described = {"specObjID": ColumnInfo("", "identifier of the spectrum in SDSS")}
    for columns in FILE_COLUMNS.values():
        described.update({name_column(name): info for name, info in columns.items()})
    return described
