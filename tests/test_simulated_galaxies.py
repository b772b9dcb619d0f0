"""Promises of simulated galaxies: known truth, by published relations, selected as the real sample is."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalight.errors import RecipeError
from metalight.simulation import (
    Universe,
    build_catalog,
    compute_limits,
    draw_population,
    iterate_galaxies,
    make_universe,
    relations,
)
from metalight.simulation.k_corrections import BANDS, compute_k_correction, redshift_magnitudes
from metalight.simulation.physics import compute_star_forming_fraction

NO_MINORITY = Universe(quiescent_fraction=0.0, merger_fraction=0.0, quasar_fraction=0.0)


def change(universe: Universe, **laws: object) -> Universe:
    return Universe.model_validate(universe.model_dump() | laws)


@pytest.fixture(scope="module")
def population() -> pd.DataFrame:
    return draw_population(4000, 0)


# Numbers and identifiers.


@settings(deadline=None, max_examples=12)  # most of the time is that of many attempts of few galaxies
@given(st.integers(1, 30), st.integers(0, 30), st.integers(0, 2**32))
def test_the_galaxies_of_a_survey_are_the_first_of_a_longer_one_and_can_be_drawn_in_pieces(
    num: int, more: int, seed: int
) -> None:
    longer = draw_population(num + more, seed)
    pd.testing.assert_frame_equal(draw_population(num, seed), longer.head(num))
    if more:
        rest = draw_population(more, seed, first=num)
        pd.testing.assert_frame_equal(rest, longer.tail(more).reset_index(drop=True))


def test_another_seed_gives_other_galaxies_with_other_identifiers() -> None:
    first, second = draw_population(50, 1), draw_population(50, 2)
    assert not set(first["object_id"]) & set(second["object_id"])
    assert not set(first["metallicity"]) & set(second["metallicity"])


def test_identifiers_are_whole_unique_and_as_long_as_those_of_sdss(population: pd.DataFrame) -> None:
    assert population["object_id"].dtype == np.int64
    assert population["object_id"].is_unique
    assert {len(str(object_id)) for object_id in population["object_id"]} == {19}
    rows = list(iterate_galaxies(population.head(100)))
    assert [row.object_id for row in rows] == population["object_id"].head(100).tolist()
    assert all(isinstance(row.object_id, int) for row in rows)


@pytest.mark.parametrize(
    ("num", "seed", "first"), [(0, 0, 0), (10_000_001, 0, 0), (1, -1, 0), (1, 0, -1), (2, 0, 9_999_999)]
)
def test_a_population_that_cannot_be_drawn_is_a_wrong_argument(num: int, seed: int, first: int) -> None:
    with pytest.raises(ValueError, match="must"):
        draw_population(num, seed, first=first)


# The relations.


def test_the_mass_metallicity_relation_is_that_of_tremonti_et_al() -> None:
    # Their table 3: medians of 12 + log10(O/H) in bins of mass.
    table = {8.57: 8.44, 8.96: 8.63, 9.46: 8.78, 9.96: 8.94, 10.46: 9.05, 10.95: 9.11, 11.25: 9.12}
    computed = relations.compute_mass_metallicity(np.array(list(table)))
    np.testing.assert_allclose(computed, list(table.values()), atol=0.02)


def test_the_scatter_of_metallicities_shrinks_with_mass_as_in_their_table() -> None:
    # Half the distance of the 16th and 84th percentiles of the same table.
    table = {8.57: 0.195, 8.96: 0.145, 9.46: 0.13, 9.96: 0.11, 10.46: 0.08, 10.95: 0.07}
    computed = relations.compute_relative_scatter(np.array(list(table)))
    np.testing.assert_allclose(computed * 0.107, list(table.values()), atol=0.025)


def test_distances_are_those_of_a_flat_universe() -> None:
    # Ned Wright's calculator for H0 = 70, matter 0.3: comoving distances in Mpc, kpc under an arcsec.
    redshift = np.array([0.02, 0.1, 0.3])
    np.testing.assert_allclose(relations.compute_comoving_distance_mpc(redshift), [85.3, 418.5, 1194.6], rtol=2e-3)
    np.testing.assert_allclose(1 / relations.compute_arcsec_per_kpc(redshift), [0.405, 1.844, 4.454], rtol=3e-3)
    np.testing.assert_allclose(relations.find_redshift(np.array([418.5])), [0.1], rtol=1e-3)


def test_k_corrections_are_the_published_ones_and_none_without_redshift() -> None:
    observed = {band: np.array([15.0 + offset]) for band, offset in zip(BANDS, (3.0, 1.1, 0, -0.4, -0.7), strict=True)}
    # The worked example that the authors' own program comes with.
    assert compute_k_correction("g", np.array([0.2]), observed)[0] == pytest.approx(0.5209713976)
    unchanged = redshift_magnitudes(observed, np.zeros(1))
    assert all(unchanged[band] == observed[band] for band in BANDS)


@given(st.floats(0.02, 0.2), st.floats(0.2, 0.9))
def test_observed_magnitudes_lead_back_to_those_at_rest(redshift: float, g_minus_r: float) -> None:
    colours = (g_minus_r + 1.1, g_minus_r, 0, -0.1 - 0.36 * g_minus_r, -0.1 - 0.7 * g_minus_r)
    rest = {band: np.array([15.0 + offset]) for band, offset in zip(BANDS, colours, strict=True)}
    observed = redshift_magnitudes(rest, np.array([redshift]))
    for band in BANDS:
        back = observed[band] - compute_k_correction(band, np.array([redshift]), observed)
        assert back == pytest.approx(rest[band], abs=0.02)


# What is put in can be found again.


def test_the_main_sequence_is_found_again() -> None:
    galaxies = draw_population(4000, 1, change(NO_MINORITY, has_line_limit=False))
    slope, offset = np.polyfit(galaxies["log_mass"] - 10, galaxies["log_sfr"], 1)
    residual = galaxies["log_sfr"] - relations.compute_main_sequence(galaxies["log_mass"].to_numpy())
    assert slope == pytest.approx(0.76, abs=0.03)
    assert offset == pytest.approx(-0.04, abs=0.05)  # brighter galaxies are seen further away
    assert residual.std() == pytest.approx(0.3, abs=0.02)


def test_the_mass_function_is_found_again_by_the_volume_of_each_galaxy() -> None:
    universe = change(NO_MINORITY, has_line_limit=False, has_k_corrections=False)
    galaxies = draw_population(6000, 2, universe)
    absolute = galaxies["petro_magnitude"] - relations.compute_distance_modulus(galaxies["redshift"].to_numpy())
    redshifts = np.linspace(0.02, 0.38, 721)
    moduli = relations.compute_distance_modulus(redshifts)

    def find_volume(limit: float) -> npt.NDArray[np.float64]:
        farthest = np.interp((limit - absolute).to_numpy(), moduli, redshifts)
        distances = relations.compute_comoving_distance_mpc(farthest)
        return distances**3 - relations.compute_comoving_distance_mpc(np.array(0.02)) ** 3

    # Some are selected to a fainter limit than the others.
    weights = 1 / (0.88 * find_volume(17.77) + 0.12 * find_volume(18.0))
    edges = np.array([9.0, 9.4, 9.8, 10.2, 10.6, 11.0])
    found, _ = np.histogram(galaxies["log_mass"], edges, weights=weights)
    errors = np.sqrt(np.histogram(galaxies["log_mass"], edges, weights=weights**2)[0])
    fine = np.linspace(edges[:-1], edges[1:], 50)
    put_in = (relations.compute_mass_function(fine) * compute_star_forming_fraction(fine)).mean(axis=0)
    ratio, error = found / put_in, errors / put_in
    mean = np.average(ratio, weights=1 / error**2)
    assert np.abs((ratio - mean) / error).max() < 3.5
    assert (error / mean).max() < 0.25


def test_what_metallicity_follows_is_found_again(population: pd.DataFrame) -> None:
    usual = population[population["kind"] == "star-forming"]
    log_mass, log_sfr = usual["log_mass"].to_numpy(), usual["log_sfr"].to_numpy()
    sequence = relations.compute_main_sequence(log_mass)
    fundamental = relations.compute_fundamental(log_mass, log_sfr) - relations.compute_fundamental(log_mass, sequence)
    spread = relations.compute_relative_scatter(log_mass)
    design = np.column_stack([fundamental, spread * usual["fourth_parameter"]])
    residual = usual["metallicity"] - relations.compute_mass_metallicity(log_mass)
    coefficients, *_ = np.linalg.lstsq(design / spread[:, None], residual / spread)
    assert coefficients[0] == pytest.approx(1.0, abs=0.08)
    assert coefficients[1] == pytest.approx(Universe().fourth_dex, abs=0.004)
    left = (residual - design @ coefficients) / spread
    assert left.std() == pytest.approx(Universe().invisible_dex, rel=0.04)
    error = (usual["measured_metallicity"] - usual["metallicity"]) / spread
    # A tenth of the errors is three times as large.
    assert error.std() == pytest.approx(Universe().label_dex * np.sqrt(0.9 + 0.1 * 9), rel=0.06)


def test_where_mass_alone_decides_nothing_else_matters() -> None:
    universe = change(make_universe("mass-only"), invisible_dex=0.0, label_dex=0.0)
    galaxies = draw_population(300, 3, universe)
    expected = relations.compute_mass_metallicity(galaxies["log_mass"].to_numpy())
    np.testing.assert_allclose(galaxies["measured_metallicity"], expected, atol=1e-12)


# Each law can be switched off.


def test_without_dust_a_galaxy_on_its_side_is_no_redder() -> None:
    def slope(universe: Universe) -> float:
        galaxies = draw_population(2500, 4, change(universe, colour_mag=0.0, sfr_dependence=0.0))
        colour = galaxies["g_magnitude"] - galaxies["r_magnitude"]
        design = np.column_stack(
            [np.ones(2500), galaxies[["log_mass", "visible_metallicity", "redshift", "log_sfr", "axis_ratio"]]]
        )
        return float(np.linalg.lstsq(design, colour)[0][-1])

    assert slope(NO_MINORITY) < -0.05
    assert abs(slope(change(NO_MINORITY, has_dust=False))) < 0.01


def test_without_k_corrections_distance_does_not_change_colours() -> None:
    universe = change(NO_MINORITY, has_k_corrections=False, has_dust=False, colour_mag=0.0)
    galaxies = draw_population(200, 5, universe)
    g_minus_r = galaxies["g_magnitude"] - galaxies["r_magnitude"]
    np.testing.assert_allclose(galaxies["r_magnitude"] - galaxies["i_magnitude"], 0.05 + 0.36 * g_minus_r, atol=1e-9)


def test_labels_gather_at_the_steps_of_a_grid_if_asked() -> None:
    measured = draw_population(500, 6, Universe(label_step_dex=0.04))["measured_metallicity"]
    off_grid = np.abs(measured / 0.04 - np.round(measured / 0.04))
    assert off_grid.max() <= 0.051


def test_minorities_are_as_large_as_asked_and_labelled() -> None:
    universe = Universe(quiescent_fraction=0.2, merger_fraction=0.2, quasar_fraction=0.2, has_line_limit=False)
    kinds = draw_population(600, 7, universe)["kind"].value_counts(normalize=True)
    assert set(kinds.index) == {"star-forming", "quiescent", "merger", "quasar"}
    assert kinds["merger"] > 0.06  # stars are born in them, behind much dust
    assert set(draw_population(100, 7, NO_MINORITY)["kind"]) == {"star-forming"}


@pytest.mark.parametrize("fourth", ["concentration", "surface_density"])
def test_the_fourth_parameter_shows(fourth: str) -> None:
    galaxies = draw_population(1500, 8, change(NO_MINORITY, fourth_parameter=fourth, sfr_dependence=0.0))
    log_mass = galaxies["log_mass"].to_numpy()
    residual = galaxies["metallicity"] - relations.compute_mass_metallicity(log_mass)
    arcsec = relations.compute_half_light_kpc(log_mass, np.zeros_like(log_mass)) * relations.compute_arcsec_per_kpc(
        galaxies["redshift"].to_numpy()
    )
    shown = {
        "concentration": galaxies["bulge_fraction"],
        "surface_density": -np.log(galaxies["half_light_arcsec"] / arcsec),
    }
    assert shown[fourth].corr(residual) > 0.4


# The sample.


def test_the_sample_is_like_that_of_the_paper(population: pd.DataFrame) -> None:
    measured = population["measured_metallicity"]
    # The paper's catalogue: mean 8.9065, standard deviation 0.1986, quartiles 8.8088, 8.9556, 9.0537.
    assert measured.mean() == pytest.approx(8.9065, abs=0.03)
    assert measured.std() == pytest.approx(0.1986, abs=0.02)
    np.testing.assert_allclose(np.percentile(measured, [25, 50, 75]), [8.8088, 8.9556, 9.0537], atol=0.03)
    assert population["redshift"].median() == pytest.approx(0.0709, abs=0.02)
    assert population["redshift"].between(0.02, 0.38).all()
    assert population["log_mass"].between(8.5, 11.5).all()
    assert (population["petro_magnitude"] < 18).all()
    assert ((population["petro_magnitude"] > 17.77).mean()) < 0.1


def test_nothing_but_the_kind_lacks_a_value(population: pd.DataFrame) -> None:
    assert np.isfinite(population.drop(columns="kind").to_numpy(dtype=float)).all()


def test_far_galaxies_are_massive_and_faint_ones_near(population: pd.DataFrame) -> None:
    assert population["redshift"].corr(population["log_mass"]) > 0.5


def test_redder_means_more_massive_richer_in_metals_and_forming_fewer_stars(population: pd.DataFrame) -> None:
    usual = population[population["kind"] == "star-forming"]
    g_minus_r = usual["g_magnitude"] - usual["r_magnitude"]
    assert g_minus_r.corr(usual["log_mass"]) > 0.5
    assert g_minus_r.corr(usual["metallicity"]) > 0.5
    assert g_minus_r.corr(usual["log_sfr"] - usual["log_mass"]) < -0.3


def test_the_limits_are_in_order_and_the_lowest_is_what_nothing_shows(population: pd.DataFrame) -> None:
    limits = compute_limits(population)["rmse_dex"].tolist()
    assert limits == sorted(limits, reverse=True)
    hidden = population["measured_metallicity"] - population["visible_metallicity"]
    assert limits[-1] == pytest.approx(hidden.std(), rel=0.01)
    assert len(limits) == 4


def test_a_forest_on_what_is_visible_is_a_guide_to_what_is_within_reach() -> None:
    galaxies = draw_population(1500, 11, change(NO_MINORITY, invisible_dex=0.0, label_dex=0.0))
    limits = compute_limits(galaxies).set_index("what")["rmse_dex"]
    by_forest = limits["the true visible parameters, by a forest"]
    # Nothing is hidden here: what is left is what so many trees leave.
    assert by_forest < 0.5 * limits["the true mass, by the mass–metallicity relation"]
    assert limits.iloc[-1] == pytest.approx(0, abs=1e-9)
    assert len(compute_limits(galaxies[:99])) == 3


# The catalogue.


def test_the_catalogue_has_errors_of_the_size_that_it_states(population: pd.DataFrame) -> None:
    catalog = build_catalog(population, 0, Universe())
    frame = catalog.frame
    assert frame["objID"].tolist() == population["object_id"].tolist()
    for band in BANDS:
        pull = (frame[f"modelMag_{band}"] - population[f"{band}_magnitude"]) / frame[f"modelMagErr_{band}"]
        assert pull.std() == pytest.approx(1, abs=0.04)
    mass_error = 0.5 * (frame["lgm_tot_p84"] - frame["lgm_tot_p16"])
    assert ((frame["lgm_tot_p50"] - population["log_mass"]) / mass_error).std() == pytest.approx(1, abs=0.04)
    assert (frame["oh_p16"] < frame["oh_p50"]).all()
    assert (frame["oh_p50"] < frame["oh_p84"]).all()
    assert set(frame["class"]) == {"GALAXY", "QSO"}
    assert catalog.info["oh_p50"].unit == "dex"
    assert all(catalog.info[str(name)].description for name in frame if name != "class")


def test_measurements_of_a_galaxy_do_not_depend_on_the_others(population: pd.DataFrame) -> None:
    some = population.iloc[[7, 3, 100]]
    alone = build_catalog(some, 0, Universe()).frame
    together = build_catalog(population, 0, Universe()).frame.iloc[[7, 3, 100]]
    pd.testing.assert_frame_equal(alone, together.reset_index(drop=True))


# Universes by name.


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("defualt", (), "There is no universe 'defualt'. Did you mean 'default'"),
        ("default", ("label_dx=1",), "Unknown law 'label_dx'. Did you mean 'label_dex'"),
        ("default", ("label_dex",), "is not of the form key=value"),
        ("default", ("label_dex=2",), "label_dex = 2 does not fit"),
        ("default", ("fourth_parameter=size",), "fourth_parameter = 'size' does not fit"),
        ("default", ("merger_fraction=0.6", "quiescent_fraction=0.6"), "are more than 1 together"),
    ],
)
def test_universes_that_cannot_be_are_refused(name: str, changes: tuple[str, ...], message: str) -> None:
    with pytest.raises(RecipeError) as refusal:
        make_universe(name, changes)
    assert message in str(refusal.value)


def test_single_laws_can_be_changed() -> None:
    universe = make_universe("mass-only", ["fourth_parameter=surface_density", "has_dust=false", "label_dex=0.1"])
    assert (universe.fourth_parameter, universe.has_dust, universe.label_dex) == ("surface_density", False, 0.1)
    assert universe.sfr_dependence == 0
