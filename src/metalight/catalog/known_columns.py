"""Meanings of the columns of the MPA-JHU catalogue, for tables without descriptions."""

from metalight.tables import ColumnInfo

KNOWN_COLUMNS = {
    "metallicity": ColumnInfo("dex", "12 + log10(O/H)"),
    "oh_p50": ColumnInfo("dex", "12 + log10(O/H)"),
    "log_mass": ColumnInfo("dex", "log10(M*/Msun)"),
    "lgm_tot_p50": ColumnInfo("dex", "log10(M*/Msun)"),
    "log_sfr": ColumnInfo("dex", "log10(SFR / (Msun/yr))"),
    "sfr_tot_p50": ColumnInfo("dex", "log10(SFR / (Msun/yr))"),
    "specsfr_tot_p50": ColumnInfo("dex", "log10(SFR/M* / (1/yr))"),
}
"""By the names of galSpecExtra (SDSS DR8 and later) and by ours. Medians of the posterior distributions."""


def describe_column(name: str, given: ColumnInfo) -> ColumnInfo:
    """The unit and description that a table gives of a column, or what is known of one of that name, in any case.

    A column in dex(Msun), as astropy and VOTables spell the unit of a logarithm, is in dex here: so are the residuals
    of its predictions, and the description tells of what it is the logarithm.
    """
    known = KNOWN_COLUMNS.get(name.casefold(), ColumnInfo())
    if given == ColumnInfo():
        return known
    if not (given.unit.startswith("dex(") and given.unit.endswith(")")):
        return given
    return known if known.unit else ColumnInfo("dex", f"{given.description or name} [{given.unit[4:-1]}]")
