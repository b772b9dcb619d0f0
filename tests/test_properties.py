"""Properties of galaxies by our names: found, computed, mapped; what cannot be is missing."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.cosmology import FlatLambdaCDM

from metalight.catalog import PROPERTIES, compute_kpc_per_arcsec, compute_properties
from metalight.errors import CatalogError, RecipeError
from metalight.recipe import KNOWN_PROPERTIES, load_recipe
from metalight.tables import Table


def _compute(columns: dict[str, Any], mapped: dict[str, str] | None = None) -> pd.DataFrame:
    return compute_properties(Table(pd.DataFrame(columns)), mapped or {}, path="table.csv").frame


def test_recipes_and_catalogues_know_the_same_properties() -> None:
    assert tuple(PROPERTIES) == KNOWN_PROPERTIES


def test_columns_of_sdss_are_found_whatever_their_case() -> None:
    found = _compute({"LGM_TOT_P50": [10.1], "z": [0.07], "modelmag_R": [17.0], "sn_median": [12.0]})
    assert found.to_dict("list") == {
        "redshift": [0.07],
        "magnitude_r": [17.0],
        "signal_to_noise": [12.0],
        "log_mass": [10.1],
    }


def test_what_follows_from_others_is_computed() -> None:
    table = {"z": [0.1], "petroR90_r": [6.0], "petroR50_r": [2.0], "modelMag_g": [17.6], "modelMag_r": [17.0]}
    found = _compute(table | {"fiberMag_r": [18.0], "petroMag_r": [17.0], "lgm_tot_p50": [10.5], "sfr_tot_p50": [0.5]})
    assert found["concentration"][0] == 3.0
    assert found["g_r"][0] == pytest.approx(0.6)
    assert found["fibre_fraction"][0] == pytest.approx(0.39810717)
    assert found["log_ssfr"][0] == pytest.approx(-10.0)
    # At redshift 0.1 a second of arc is 1.844 kpc (Wright 2006, PASP 118, 1711, calculator, H0 70, 0.3, flat).
    assert found["log_surface_density"][0] == pytest.approx(10.5 - np.log10(2 * np.pi * (2 * 1.844) ** 2), abs=1e-3)


def test_lengths_are_those_of_the_cosmology_and_missing_where_there_is_no_redshift() -> None:
    cosmology = FlatLambdaCDM(H0=70, Om0=0.3, Tcmb0=0)
    lengths = compute_kpc_per_arcsec([0.02, 0.3, 0.0, -1.0, np.nan])
    expected = [1 / cosmology.arcsec_per_kpc_proper(redshift).value for redshift in (0.02, 0.3)]
    np.testing.assert_allclose(lengths[:2], expected, rtol=1e-12)
    assert np.isnan(lengths[2:]).all()


def test_a_column_that_the_user_names_comes_before_any_other() -> None:
    found = _compute({"lgm_tot_p50": [10.0], "MSTAR": [9.0]}, {"log_mass": "mstar"})
    assert found["log_mass"].tolist() == [9.0]


def test_a_column_that_the_user_names_must_be_there_and_hold_numbers() -> None:
    with pytest.raises(CatalogError, match=r"has no column 'mstar', which \[catalog.properties\] log_mass names"):
        _compute({"a": [1.0]}, {"log_mass": "mstar"})
    with pytest.raises(CatalogError, match="does not hold numbers"):
        _compute({"mstar": ["heavy"]}, {"log_mass": "mstar"})


def test_impossible_values_are_missing_and_empty_columns_left_out() -> None:
    nothing = [np.nan, np.inf, -9999.0]
    found = _compute(
        {"z": [0.1, np.inf, -9999.0], "expAB_r": [0.5, 1.5, np.nan], "d4000_n": nothing, "e_bv": ["a"] * 3}
    )
    assert list(found) == ["redshift", "axis_ratio"]
    assert found["redshift"].tolist()[0] == 0.1
    assert found["redshift"].isna().tolist() == [False, True, True]
    assert found["axis_ratio"].isna().tolist() == [False, True, True]


def test_a_recipe_refuses_properties_that_there_are_not() -> None:
    with pytest.raises(RecipeError, match=r"no property 'log_mas'. Did you mean 'log_mass'\?"):
        load_recipe("paper", ["catalog.properties.log_mas=MSTAR"])
    assert load_recipe("paper", ["catalog.properties.log_mass=MSTAR"]).catalog.properties == {"log_mass": "MSTAR"}
