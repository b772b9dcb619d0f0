"""Promises of the mass–metallicity study: it tells universes apart, recovers what was put in, and invents nothing."""

import functools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from make_universes import SeenUniverse, see_universe
from metalight.errors import EvaluationError
from metalight.evaluation.mass_metallicity import (
    Knowledge,
    MeasurementError,
    StudyGalaxies,
    compute_budget,
    compute_gain,
    compute_partial_correlation,
    compute_relation,
    compute_routes,
    compute_scatter_ratio,
    compute_sfr_residuals,
    compute_slope,
    compute_study,
    exchange_predictions,
    explain_slopes,
    find_error,
    fit_mannucci,
    fit_mass_plane,
    fit_plane,
    fit_projection,
    fit_smooth,
    judge_knowledge,
    put_residuals_back,
    score_routes,
    search_fourth_parameters,
    select_galaxies,
    shuffle_within_mass,
)
from metalight.scaling_relations import compute_main_sequence, compute_mannucci, compute_tremonti
from metalight.simulation import draw_population, make_universe

FloatArray = npt.NDArray[np.float64]

NUM_GALAXIES = 2400


@pytest.fixture(scope="module")
def default() -> SeenUniverse:
    return see_universe("default", NUM_GALAXIES, 3)


@pytest.fixture(scope="module")
def mass_only() -> SeenUniverse:
    return see_universe("mass-only", NUM_GALAXIES, 3)


def take_half(seen: SeenUniverse, *, second: bool) -> StudyGalaxies:
    """The half that was learnt from, or the other."""
    rows = np.arange(len(seen.metallicity))
    half = rows >= len(rows) // 2 if second else rows < len(rows) // 2
    properties = {name: values[half] for name, values in seen.properties.items()}
    return select_galaxies(
        properties["metallicity"],
        properties["log_mass"],
        seen.metallicity[half],
        log_mass_predicted=seen.log_mass[half],
        properties=properties,
    )[0]


@functools.cache
def judge(seen: SeenUniverse) -> Knowledge:
    test = take_half(seen, second=True)
    errors = [find_error(test.properties, name, 0.1) for name in ("log_mass", "log_sfr")]
    return judge_knowledge(test, *errors, num_shuffles=50, num_bootstrap=300)


# Metallicity, or mass through the relation?


def test_predictions_that_see_more_than_mass_are_told_to(default: SeenUniverse) -> None:
    found = judge(default)
    assert found.verdict == "more than mass"
    assert "see more of metallicity than mass tells" in found.sentence
    assert found.at_fixed_mass.partial.factor_needed > 2
    assert found.at_fixed_mass.gain.low_95 > 0.01
    beside_sfr = found.at_fixed_mass_and_sfr
    assert beside_sfr is not None
    assert beside_sfr.corrected.low_95 > 0.3


def test_predictions_that_see_mass_alone_are_told_to(mass_only: SeenUniverse) -> None:
    found = judge(mass_only)
    assert found.verdict == "mass alone"
    assert "nothing of metallicity beyond what mass tells" in found.sentence
    assert found.at_fixed_mass.gain.value < 0.001


def test_what_is_left_at_fixed_measured_mass_is_what_true_masses_leave(
    default: SeenUniverse, mass_only: SeenUniverse
) -> None:
    for seen in (default, mass_only):
        test = take_half(seen, second=True)
        assert test.predicted is not None
        true_mass = seen.population["log_mass"].to_numpy()[NUM_GALAXIES // 2 :]
        at_true = compute_partial_correlation(test.metallicity, test.predicted, [true_mass], [0.0]).raw
        corrected = judge(seen).at_fixed_mass.partial.corrected
        assert corrected.value == pytest.approx(at_true.value, abs=0.04)


def make_mass_only(num: int, error_dex: float, seed: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Metallicity, predicted metallicity, measured and true mass, where only the true mass is seen, nearly exactly."""
    generator = np.random.default_rng(seed)
    true = generator.normal(10, 0.5, num)
    metallicity = 8.9 + 0.3 * (true - 10) + generator.normal(0, 0.1, num)
    predicted = 8.9 + 0.3 * (true - 10) + generator.normal(0, 0.03, num)
    return metallicity, predicted, true + generator.normal(0, error_dex, num), true


@pytest.mark.parametrize("error_dex", [0.1, 0.25])
def test_errors_of_mass_alone_bring_about_what_is_computed_for_them(error_dex: float) -> None:
    metallicity, predicted, measured, _ = make_mass_only(20_000, error_dex, 1)
    found = compute_partial_correlation(metallicity, predicted, [measured], [error_dex], num_bootstrap=200)
    assert found.raw.low_95 > 0.1  # without the correction one would believe it
    assert found.from_errors == pytest.approx(found.raw.value, abs=0.03)
    assert abs(found.corrected.value) < 0.03
    assert not found.is_beyond_controls
    assert found.factor_needed == pytest.approx(1, abs=0.1)


def test_errors_of_mass_that_are_understated_are_not_taken_for_knowledge() -> None:
    metallicity, predicted, measured, _ = make_mass_only(20_000, 0.13, 2)
    found = compute_partial_correlation(metallicity, predicted, [measured], [0.1], num_bootstrap=200)
    assert found.corrected.low_95 > 0.02  # stated errors leave something
    assert not found.is_beyond_controls
    assert found.factor_needed == pytest.approx(1.3, abs=0.1)


def test_two_controls_with_errors_are_corrected_together() -> None:
    generator = np.random.default_rng(2)
    mass = generator.normal(10, 0.5, 20_000)
    sfr = 0.8 * (mass - 10) + generator.normal(0, 0.35, len(mass))
    metallicity = 0.4 * (mass - 10) - 0.15 * sfr + generator.normal(0, 0.05, len(mass))
    predicted = 0.4 * (mass - 10) - 0.15 * sfr + generator.normal(0, 0.02, len(mass))
    controls = [mass + generator.normal(0, 0.1, len(mass)), sfr + generator.normal(0, 0.2, len(mass))]
    found = compute_partial_correlation(metallicity, predicted, controls, [0.1, 0.2], num_bootstrap=100)
    assert found.raw.low_95 > 0.5
    assert found.from_errors == pytest.approx(found.raw.value, abs=0.03)
    assert found.corrected.low_95 < 0 < found.corrected.high_95


def judge_synthetic(predicted: FloatArray, metallicity: FloatArray, mass: FloatArray, seen: FloatArray) -> Knowledge:
    galaxies, _ = select_galaxies(metallicity, mass, predicted, log_mass_predicted=seen)
    error = MeasurementError(0.1, "stated")
    return judge_knowledge(galaxies, error, error, num_shuffles=20, num_bootstrap=200)


def test_masses_whose_errors_follow_metallicity_are_not_taken_for_metallicity() -> None:
    generator = np.random.default_rng(16)
    true = generator.normal(10, 0.5, 3000)
    excess = generator.normal(0, 0.1, len(true))
    metallicity, mass = 8.9 + 0.3 * (true - 10) + excess, true + generator.normal(0, 0.1, len(true))
    # Rich galaxies are redder, and are taken for more massive ones.
    seen = true + excess + generator.normal(0, 0.1, len(true))
    from_mass = 8.9 + 0.28 * (seen - 10) + generator.normal(0, 0.01, len(true))
    found = judge_synthetic(from_mass, metallicity, mass, seen)
    assert found.at_fixed_mass.partial.is_beyond_controls  # so that measured masses alone would not tell
    assert found.verdict == "mass as seen"
    assert "no more than masses read from the image" in found.sentence
    assert judge_synthetic(8.9 + 0.28 * (seen - 10), metallicity, mass, seen).verdict == "mass as seen"
    found = judge_synthetic(metallicity + generator.normal(0, 0.05, len(true)), metallicity, mass, seen)
    assert found.verdict == "more than mass"


def test_predictions_that_learnt_from_exchanged_labels_are_not_said_to_see_metallicity() -> None:
    seen = see_universe("default", 2000, 5, exchanged=True)
    assert judge(seen).verdict != "more than mass"


def test_a_tiny_sample_is_not_judged() -> None:
    metallicity, predicted, measured, _ = make_mass_only(30, 0.1, 5)
    galaxies, _ = select_galaxies(metallicity, measured, predicted)
    error = MeasurementError(0.1, "stated")
    found = judge_knowledge(galaxies, error, error, num_shuffles=20, num_bootstrap=100)
    assert found.verdict == "not to be told"


# The fourth parameter.


def test_a_planted_fourth_parameter_is_found(default: SeenUniverse) -> None:
    galaxies = select_galaxies(
        default.properties["metallicity"], default.properties["log_mass"], None, properties=default.properties
    )[0]
    found = search_fourth_parameters(galaxies, {"log_mass": 0.09, "log_sfr": 0.2}, num_bootstrap=300)
    for relation in ("mass", "mass and SFR"):
        gain = found[relation, "concentration"]
        assert gain.verdict == "found"
        assert gain.gain.low_95 > 0
        assert gain.rms_with < gain.rms_without
    assert ("mass", "d4000") not in found  # the catalogue has none


def test_no_fourth_parameter_is_found_where_there_is_none(mass_only: SeenUniverse) -> None:
    galaxies = select_galaxies(
        mass_only.properties["metallicity"], mass_only.properties["log_mass"], None, properties=mass_only.properties
    )[0]
    found = search_fourth_parameters(galaxies, {"log_mass": 0.09, "log_sfr": 0.2}, num_bootstrap=300)
    assert {name for _, name in found} == {"concentration", "log_surface_density", "g_r"}
    assert {gain.verdict for gain in found.values()} == {"not found"}


def test_a_parameter_that_only_makes_up_for_errors_of_mass_is_not_taken_for_one() -> None:
    metallicity, _, measured, true = make_mass_only(8000, 0.25, 6)
    colour = 0.2 * (true - 10) + np.random.default_rng(7).normal(0, 0.02, len(true))
    gain = compute_gain(metallicity, [measured], [0.25], colour, num_bootstrap=200)
    assert gain.gain.low_95 > 0.005
    assert gain.verdict == "tightens, but errors of the controls could do that"


# Relations put in are recovered.


def test_the_form_of_mannucci_et_al_is_refitted_to_what_was_put_in() -> None:
    changes = ("quiescent_fraction=0", "quasar_fraction=0", "fourth_parameter=none")
    truth = draw_population(2000, 8, make_universe("default", changes))
    fitted = fit_mannucci(*(truth[name].to_numpy() for name in ("metallicity", "log_mass", "log_sfr")))
    # Metallicity = T04(M) + M10(M, SFR) − M10(M, SFR of the main sequence): a polynomial of the same form, by hand.
    m = np.linspace(-1.5, 1.5, 7)
    rest = compute_tremonti(m + 10) - compute_mannucci(m + 10, compute_main_sequence(m + 10)) + 8.90
    of_mass = np.polyfit(m, rest, 2)
    put_in = {
        "1": of_mass[2],
        "m": of_mass[1] + 0.37,
        "s": -0.14,
        "m²": of_mass[0] - 0.19,
        "m s": 0.12,
        "s²": -0.054,
    }
    for term, value in put_in.items():
        coefficient, error = fitted.get(term)
        assert abs(coefficient - value) < 3.5 * error, term
        assert error < 0.02
    assert fitted.rms < 0.06


def test_planes_and_the_projection_are_refitted_to_what_was_put_in() -> None:
    generator = np.random.default_rng(9)
    mass = generator.uniform(9, 11, 5000)
    sfr = 0.7 * (mass - 10) + generator.normal(0, 0.3, len(mass))
    metallicity = 8.9 + 0.3 * (mass - 10 - 0.4 * sfr) + generator.normal(0, 0.04, len(mass))
    plane = fit_plane(metallicity, mass, sfr)
    for term, value in {"1": 8.9, "m": 0.3, "s": -0.12}.items():
        coefficient, error = plane.get(term)
        assert abs(coefficient - value) < 3.5 * error
    assert plane.rms == pytest.approx(0.04, rel=0.05)
    alpha = fit_projection(metallicity, mass, sfr)
    assert alpha.low_95 < 0.4 < alpha.high_95
    assert alpha.high_95 - alpha.low_95 < 0.1
    log_mass = 1.1 * metallicity + 0.5 * sfr + 0.2 + generator.normal(0, 0.1, len(mass))
    of_mass = fit_mass_plane(metallicity, log_mass, sfr)
    for term, value in {"1": 0.2, "metallicity": 1.1, "s": 0.5}.items():
        coefficient, error = of_mass.get(term)
        assert abs(coefficient - value) < 3.5 * error


def test_errors_of_coefficients_are_how_much_they_vary() -> None:
    def fit(seed: int) -> tuple[float, ...]:
        generator = np.random.default_rng(seed)
        mass, sfr = generator.uniform(9, 11, 300), generator.normal(0, 0.4, 300)
        scatter = 0.05 * (11.5 - mass)  # larger at small masses
        return fit_plane(8.9 + 0.3 * (mass - 10) + scatter * generator.normal(size=300), mass, sfr).get("m")

    found = np.array([fit(seed) for seed in range(200)])
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.15)


def test_star_formation_at_fixed_mass_is_found_where_it_was_put_in_and_only_there(
    default: SeenUniverse, mass_only: SeenUniverse
) -> None:
    for seen, is_put_in in ((default, True), (mass_only, False)):
        own = seen.properties
        found = compute_sfr_residuals(
            *(own[name] for name in ("metallicity", "log_mass", "log_sfr")),
            mass_error_dex=0.09,
            sfr_error_dex=0.2,
            num_bootstrap=200,
        )
        row = {name: float(found[name].iloc[0]) for name in found.columns if name != "window"}  # of all masses
        error = (row["slope_corrected_high"] - row["slope_corrected_low"]) / 2
        if is_put_in:
            assert row["slope_corrected"] + 3 * error < -0.1
            assert row["slope"] > row["slope_corrected"]  # errors of star formation had drawn it to 0
        else:
            assert abs(row["slope_corrected"]) < 3.5 * error


def test_slopes_at_fixed_mass_are_corrected_for_errors() -> None:
    generator = np.random.default_rng(10)
    mass = generator.normal(10, 0.5, 20_000)
    sfr = 0.8 * (mass - 10) + generator.normal(0, 0.3, len(mass))
    metallicity = 8.9 + 0.3 * (mass - 10) - 0.2 * (sfr - 0.8 * (mass - 10)) + generator.normal(0, 0.05, len(mass))
    noisy = [mass + generator.normal(0, 0.1, len(mass)), sfr + generator.normal(0, 0.2, len(mass))]
    found = compute_sfr_residuals(metallicity, *noisy, mass_error_dex=0.1, sfr_error_dex=0.2)
    assert found["window"].iloc[0] == "all"
    assert found["slope"].iloc[0] > -0.15
    assert found["slope_corrected"].iloc[0] == pytest.approx(-0.2, abs=0.01)


def test_a_smooth_relation_follows_a_curve_and_does_not_extrapolate() -> None:
    mass = np.random.default_rng(11).uniform(8.6, 11.4, 3000)
    fitted = fit_smooth([mass], compute_tremonti(mass))
    inside = np.linspace(mass.min(), mass.max(), 50)
    np.testing.assert_allclose(fitted.predict(inside), compute_tremonti(inside), atol=5e-3)
    np.testing.assert_allclose(fitted.compute_slopes(inside)[:, 0], 1.847 - 0.16052 * inside, atol=0.05)
    assert np.isnan(fitted.predict([mass.min() - 0.01, mass.max() + 0.01, np.nan])).all()


# Scatters and routes.


def test_shrinkage_is_told_from_knowledge_of_mass() -> None:
    generator = np.random.default_rng(12)
    mass = generator.uniform(8.6, 11.2, 20_000)
    metallicity = compute_tremonti(mass) + generator.normal(0, 0.1, len(mass))
    # Knows metallicity alone, with noise, and shrinks as the best predictor does.
    noisy = metallicity + generator.normal(0, 0.1, len(mass))
    slope = compute_slope(noisy, metallicity).value
    blind = metallicity.mean() + slope * (noisy - noisy.mean())
    seen = compute_scatter_ratio(mass, blind, mass, metallicity).mean.value
    alone = compute_scatter_ratio(mass, exchange_predictions(blind, metallicity, 0), mass, metallicity).mean.value
    assert seen == pytest.approx(alone, abs=0.02)
    # Knows mass alone: at a mass it does not scatter at all, and shrinkage would not do that.
    from_mass = compute_tremonti(mass)
    assert compute_scatter_ratio(mass, from_mass, mass, metallicity).mean.value < 0.4
    put_back = put_residuals_back(from_mass, metallicity, 0)
    assert compute_scatter_ratio(mass, put_back, mass, metallicity).mean.value == pytest.approx(1, abs=0.03)


def test_exchanges_keep_what_they_say() -> None:
    generator = np.random.default_rng(13)
    truth = generator.normal(8.9, 0.2, 3000)
    predicted = truth + generator.normal(0, 0.1, len(truth))
    exchanged = exchange_predictions(predicted, truth, 0)
    assert sorted(exchanged.tolist()) == sorted(predicted.tolist())
    assert np.sqrt(np.mean((exchanged - truth) ** 2)) == pytest.approx(
        np.sqrt(np.mean((predicted - truth) ** 2)), rel=0.1
    )
    drawn = put_residuals_back(predicted, truth, 0)
    np.testing.assert_allclose(np.sort(drawn - predicted), np.sort(truth - predicted), atol=1e-12)


def test_the_budget_adds_up_where_errors_of_mass_are_independent() -> None:
    generator = np.random.default_rng(14)
    mass = generator.uniform(8.7, 11.3, 20_000)
    metallicity = compute_tremonti(mass) + generator.normal(0, 0.1, len(mass))
    predicted_mass = np.clip(mass + generator.normal(0, 0.2, len(mass)), 8.6, 11.4)
    test, _ = select_galaxies(
        metallicity, mass, metallicity + generator.normal(0, 0.05, len(mass)), log_mass_predicted=predicted_mass
    )
    routes = compute_routes(test, test)
    budget = compute_budget(routes).set_index("what")["rms"]
    assert budget["scatter of the relation: measured mass through it"] == pytest.approx(0.1, rel=0.03)
    assert budget["direct"] == pytest.approx(0.05, rel=0.03)
    expected = budget["expected through predicted mass, if the two are independent"]
    assert budget["seen through predicted mass"] == pytest.approx(expected, rel=0.03)
    # Like with like: the same galaxies for every way.
    scores = score_routes(routes)
    assert scores["num"].nunique() == 1


def test_a_budget_by_hand_at_ten_to_the_ten_solar_masses() -> None:
    # √(0.10² + (0.242 × 0.2229)²) = 0.114: the paper's scatter of masses through the slope of Tremonti et al.
    generator = np.random.default_rng(15)
    mass = generator.uniform(9.9, 10.1, 20_000)
    wide = generator.uniform(8.6, 11.4, 20_000)
    metallicity = compute_tremonti(mass) + generator.normal(0, 0.1, len(mass))
    reference, _ = select_galaxies(compute_tremonti(wide), wide, None)
    predicted_mass = mass + generator.normal(0, 0.2229, len(mass))
    test, _ = select_galaxies(metallicity, mass, metallicity, log_mass_predicted=predicted_mass)
    budget = compute_budget(compute_routes(test, reference)).set_index("what")["rms"]
    assert budget["expected through predicted mass, if the two are independent"] == pytest.approx(0.1136, abs=0.0015)
    assert budget["seen through predicted mass"] == pytest.approx(0.1136, abs=0.003)


def test_slopes_too_shallow_and_too_steep_are_explained(default: SeenUniverse) -> None:
    found = explain_slopes(take_half(default, second=True), num_bootstrap=200)
    measured = found["measured"].value
    assert found["predicted_metallicity"].high_95 < measured
    assert found["predicted_mass"].low_95 > measured
    assert found["mass_range"].value < 1


def test_bins_of_mass_are_those_of_the_paper_and_empty_ones_are_empty() -> None:
    mass = np.array([8.45, 8.5, 9.0, 9.05, 9.08, np.nan, 12.0])
    metallicity = np.array([8.3, 8.4, 8.6, 8.7, 8.8, 9.0, 9.1])
    bins = compute_relation(mass, metallicity).set_index("centre")
    assert bins.index.tolist() == pytest.approx(np.arange(8.4, 11.21, 0.2).tolist())
    assert bins["num"].sum() == 4  # 8.5 is on an edge, 12 in no bin
    assert bins["median"].iloc[0] == 8.3
    assert bins[["rms", "nmad"]].iloc[0].isna().all()  # of one galaxy
    assert bins["median"].iloc[3] == pytest.approx(8.7)
    assert bins.iloc[-1].drop("num").isna().all()


@pytest.mark.parametrize("num", [500, 20_000])
def test_intervals_hold_the_true_value_as_often_as_they_say(num: int) -> None:
    def is_held(seed: int) -> tuple[bool, bool]:
        generator = np.random.default_rng(seed)
        x = generator.normal(size=num)
        found = compute_slope(x, 0.3 * x + generator.standard_t(5, num), num_bootstrap=200, seed=seed)
        return found.low < 0.3 < found.high, found.low_95 < 0.3 < found.high_95

    held = np.mean([is_held(seed) for seed in range(60 if num > 1000 else 100)], axis=0)
    assert held[0] == pytest.approx(0.68, abs=0.14)
    assert held[1] == pytest.approx(0.95, abs=0.07)


# Labels exchanged.


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 300))
def test_labels_are_exchanged_within_a_tenth_of_a_dex_and_none_is_lost(seed: int, num: int) -> None:
    generator = np.random.default_rng(seed)
    mass = np.where(generator.random(num) < 0.1, np.nan, generator.uniform(8.5, 11.5, num))
    labels = np.where(generator.random(num) < 0.1, np.nan, np.arange(num, dtype=float))
    shuffled = shuffle_within_mass(labels, mass, seed)
    np.testing.assert_array_equal(np.isnan(shuffled), np.isnan(labels))
    kept = np.isfinite(labels)
    assert sorted(shuffled[kept].tolist()) == sorted(labels[kept].tolist())
    for row in np.flatnonzero(kept):
        source = int(shuffled[row])
        assert source == row or abs(mass[source] - mass[row]) <= 0.1
    np.testing.assert_array_equal(shuffled, shuffle_within_mass(labels, mass, seed))


# What cannot be studied.


def test_too_few_galaxies_and_constant_values_are_refused_in_a_sentence() -> None:
    metallicity, mass = np.linspace(8.5, 9, 50), np.linspace(9, 11, 50)
    missing = np.where(np.arange(50) < 40, np.inf, metallicity)
    with pytest.raises(EvaluationError, match="Of 50 galaxies of the run, 10 have a measured metallicity and mass"):
        select_galaxies(missing, mass, None)
    with pytest.raises(EvaluationError, match=r"have the same metallicity, 8\.9"):
        select_galaxies(np.full(50, 8.9), mass, None)
    with pytest.raises(EvaluationError, match="have the same mass"):
        select_galaxies(metallicity, np.full(50, 10.0), metallicity)


@pytest.mark.parametrize("flaw", ["constant predictions", "one SFR", "no ranges", "few", "no predicted masses", "wild"])
def test_odd_samples_give_empty_rows_and_no_errors(flaw: str) -> None:
    generator = np.random.default_rng(17)
    num = 20 if flaw == "few" else 150
    mass = generator.uniform(8.6, 11.3, num) - (4 if flaw == "no ranges" else 0)
    metallicity = 8.9 + 0.25 * (mass - 10) + generator.normal(0, 0.1, num)
    predicted = np.full(num, 8.9) if flaw == "constant predictions" else metallicity + generator.normal(0, 0.1, num)
    seen = np.full(num, np.inf) if flaw == "no predicted masses" else mass + generator.normal(0, 0.2, num)
    sfr = np.zeros(num) if flaw == "one SFR" else 0.76 * mass - 7.64 + generator.normal(0, 0.3, num)
    concentration = np.where(np.arange(num) == 3, 1e12 if flaw == "wild" else 2.5, generator.normal(2.5, 0.3, num))
    properties = {"log_sfr": sfr, "concentration": concentration}
    galaxies, _ = select_galaxies(metallicity, mass, predicted, log_mass_predicted=seen, properties=properties)
    study = compute_study(galaxies, galaxies, galaxies, galaxies, num_bootstrap=50)
    assert len(study.tables["relation"]) % 15 == 0
    assert not any("nan" in sentence.split() for sentence in study.sentences)
    if flaw == "constant predictions":
        assert study.results["knowledge"]["verdict"] == "mass alone"
    if flaw == "no ranges":
        assert study.tables["relation"]["median"].isna().all()
        assert "routes" not in study.tables


def test_missing_values_and_infinities_leave_galaxies_out_and_are_counted() -> None:
    metallicity, mass = np.linspace(8.5, 9, 50), np.linspace(9, 11, 50)
    predicted = metallicity.copy()
    predicted[:5], mass[7], metallicity[9] = np.nan, np.inf, -np.inf
    galaxies, num_left_out = select_galaxies(metallicity, mass, predicted)
    assert (len(galaxies), num_left_out) == (43, 7)
