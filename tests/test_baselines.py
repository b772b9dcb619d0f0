"""Promises of the baselines: forests, boosting, the Gaussian process, and mass through the relation."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from make import FIRST_ID
from metalight.baselines import BASELINES, FEWEST_TO_LEARN_FROM, Fitted, Galaxies, fit_baseline, fit_gaussian_process
from metalight.baselines import gaussian_process as process_module
from metalight.errors import RecipeError
from metalight.recipe import KNOWN_BASELINES, load_recipe

NUM, NUM_TRAINING = 360, 240
LEARNING = [name for name in KNOWN_BASELINES if name not in ("mean", "mass_metallicity")]
COLOURS = {"u_g": ("u", "g"), "g_r": ("g", "r"), "r_i": ("r", "i"), "i_z": ("i", "z")}

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def make_galaxies(seed: int = 0) -> tuple[Galaxies, Floats]:
    """Galaxies of which all numbers tell the metallicity, and that."""
    generator = np.random.default_rng(seed)
    metallicity = generator.uniform(8.3, 9.2, NUM)

    def tell(slope: float, noise: float = 0.05) -> Floats:
        return np.asarray(slope * (metallicity - 8.7) + generator.normal(0, noise, NUM))

    properties = {f"magnitude_{band}": 17 + tell(slope) for band, slope in zip("ugriz", (-3, -1, 1, 2, 3), strict=True)}
    for name, (blue, red) in COLOURS.items():
        properties[name] = properties[f"magnitude_{blue}"] - properties[f"magnitude_{red}"]
    properties["log_mass"] = 9.5 + tell(1.5)
    images = {
        "apertures": np.stack([tell(slope) for slope in np.linspace(-1, 1, 9)], axis=1),
        "levels": np.stack([tell(slope) for slope in (1, 0.5, -1)], axis=1),
    }
    object_ids = FIRST_ID + generator.permutation(NUM)
    return Galaxies(object_ids, properties, images, {}), metallicity


def choose(first: int, last: int) -> Bools:
    return (np.arange(NUM) >= first) & (np.arange(NUM) < last)


def fit(name: str, galaxies: Galaxies, target: Floats, **how: Any) -> Fitted:
    sets: dict[str, Any] = {
        "is_training": choose(0, NUM_TRAINING),
        "is_validation": choose(NUM_TRAINING, 300),
        "is_metallicity": True,
    }
    return fit_baseline(name, galaxies, target, **(sets | how))


def compute_error(fitted: Fitted, target: Floats) -> float:
    return float(np.sqrt(np.mean((fitted.predicted[300:] - target[300:]) ** 2)))


def take(galaxies: Galaxies, rows: npt.NDArray[np.intp]) -> Galaxies:
    return Galaxies(
        galaxies.object_ids[rows],
        {name: values[rows] for name, values in galaxies.properties.items()},
        {name: values[rows] for name, values in galaxies.images.items()},
        galaxies.why_not,
    )


def without(galaxies: Galaxies, name: str, rows: slice) -> Galaxies:
    """The same, where some galaxies lack a property."""
    values = galaxies.properties[name].copy()
    values[rows] = np.nan
    return replace(galaxies, properties={**galaxies.properties, name: values})


@pytest.mark.parametrize("name", LEARNING)
def test_a_planted_relation_is_learnt(name: str) -> None:
    galaxies, target = make_galaxies()
    fitted = fit(name, galaxies, target)
    assert fitted.num_training == NUM_TRAINING
    assert fitted.num_numbers == {"apertures": 9, "levels": 3}.get(
        BASELINES[name].sees.image, len(BASELINES[name].sees.properties)
    )
    assert compute_error(fitted, target) < 0.35 * compute_error(fit("mean", galaxies, target), target)


@pytest.mark.parametrize("name", ["mean", "forest_10_gri", "forest_pixel", "boosting_ugriz", "gaussian_process"])
def test_neither_the_order_of_galaxies_nor_a_repetition_changes_a_prediction(name: str) -> None:
    galaxies, target = make_galaxies()
    before = fit(name, galaxies, target)
    rows = np.random.default_rng(1).permutation(NUM)
    sets = {"is_training": choose(0, NUM_TRAINING)[rows], "is_validation": choose(NUM_TRAINING, 300)[rows]}
    after = fit(name, take(galaxies, rows), target[rows], **sets)
    np.testing.assert_allclose(after.predicted, before.predicted[rows], rtol=1e-12)
    np.testing.assert_array_equal(fit(name, galaxies, target).predicted, before.predicted)


@pytest.mark.parametrize("name", ["forest_gri", "boosting_gri", "gaussian_process"])
def test_another_seed_is_another_draw_and_test_labels_are_not_looked_at(name: str) -> None:
    galaxies, target = make_galaxies()
    before = fit(name, galaxies, target)
    hidden = target.copy()
    hidden[300:] = np.nan
    np.testing.assert_array_equal(fit(name, galaxies, hidden).predicted, before.predicted)
    if name != "gaussian_process":  # which draws nothing as long as it is exact
        assert (fit(name, galaxies, target, seed=1).predicted != before.predicted).any()


@pytest.mark.parametrize(("name", "trees", "leaf"), [("forest_10_gri", 10, 1), ("forest_gri", 40, 8)])
def test_the_forests_are_those_of_the_paper_and_the_number_of_processors_does_not_matter(
    name: str, trees: int, leaf: int
) -> None:
    from sklearn.ensemble import RandomForestRegressor

    galaxies, target = make_galaxies()
    features = np.stack([galaxies.properties[f"magnitude_{band}"] for band in "gri"], axis=1)
    order = np.argsort(galaxies.object_ids[:NUM_TRAINING])
    forest = RandomForestRegressor(n_estimators=trees, min_samples_leaf=leaf, random_state=5, n_jobs=1)
    forest.fit(features[:NUM_TRAINING][order], target[:NUM_TRAINING][order])
    np.testing.assert_array_equal(fit(name, galaxies, target, seed=5).predicted, forest.predict(features))


@pytest.mark.parametrize("name", ["forest_ugriz", "boosting_colours_r", "gaussian_process"])
def test_a_galaxy_that_lacks_a_number_is_not_learnt_from_and_not_predicted(name: str) -> None:
    galaxies, target = make_galaxies()
    for lacking in ("magnitude_u", "u_g"):
        galaxies = without(galaxies, lacking, slice(0, NUM, 10))
    rings = galaxies.images["apertures"].copy()
    rings[::10, 4] = np.nan
    galaxies = replace(galaxies, images={**galaxies.images, "apertures": rings})
    is_whole = np.arange(NUM) % 10 > 0
    fitted = fit(name, galaxies, target)
    assert fitted.num_training == is_whole[:NUM_TRAINING].sum()
    np.testing.assert_array_equal(np.isnan(fitted.predicted), ~is_whole)
    # What those that lack a number have for labels changes nothing, and other methods still see them.
    other = np.where(is_whole, target, 8.0)
    np.testing.assert_array_equal(fit(name, galaxies, other).predicted, fitted.predicted)
    assert np.isfinite(fit("forest_gri", galaxies, target).predicted).all()


def test_a_galaxy_without_a_label_is_not_learnt_from_but_predicted() -> None:
    galaxies, target = make_galaxies()
    target[::7] = np.nan
    fitted = fit("forest_gri", galaxies, target)
    assert fitted.num_training == np.isfinite(target[:NUM_TRAINING]).sum()
    assert np.isfinite(fitted.predicted).all()


def test_what_cannot_be_had_is_told_and_nothing_is_predicted() -> None:
    galaxies, target = make_galaxies()
    properties = {name: values for name, values in galaxies.properties.items() if name not in ("magnitude_u", "u_g")}
    poor = replace(galaxies, properties=properties, images={}, why_not={"apertures": "images of 4 px have no rings"})
    for name, why in (
        ("forest_ugriz", "the catalogue has no magnitude_u"),
        ("boosting_colours", "the catalogue has no magnitude_u"),
        ("gaussian_process", "images of 4 px have no rings"),
        ("forest_pixel", "not measured"),
    ):
        fitted = fit(name, poor, target)
        assert fitted.left_out == why
        assert np.isnan(fitted.predicted).all()
    assert fit("forest_gri", poor, target).left_out == ""
    without_z = {name: values for name, values in galaxies.properties.items() if name not in ("i_z", "u_g")}
    lacking = fit("forest_colours", replace(galaxies, properties=without_z), target).left_out
    assert lacking == "the catalogue has no u_g, i_z"  # whose magnitudes are there, but not of the same galaxies


def test_too_few_training_galaxies_are_told() -> None:
    galaxies, target = make_galaxies()
    galaxies = without(galaxies, "magnitude_g", slice(0, NUM_TRAINING - FEWEST_TO_LEARN_FROM + 1))
    assert fit("forest_gri", galaxies, target).left_out == (
        f"{FEWEST_TO_LEARN_FROM - 1} training galaxies have what it needs, and {FEWEST_TO_LEARN_FROM} are the least"
    )
    same = np.where(np.isfinite(galaxies.properties["magnitude_g"]), 8.9, target)
    alike = without(make_galaxies()[0], "magnitude_g", slice(0, NUM_TRAINING - 20))
    same[NUM_TRAINING - 20 :] = 8.9
    assert "all have the same label" in fit("forest_gri", alike, same).left_out


def test_a_target_is_not_predicted_from_itself() -> None:
    galaxies, _ = make_galaxies()
    target = galaxies.properties["magnitude_r"]
    assert fit("forest_gri", galaxies, target).left_out == "what it sees is the target itself"
    assert fit("forest_colours", galaxies, target).left_out == ""
    # The property lacks what cannot be a magnitude, which the target still has.
    spoilt = target.copy()
    spoilt[3] = -9999
    known = np.where(spoilt > 0, spoilt, np.nan)
    given = replace(galaxies, properties={**galaxies.properties, "magnitude_r": known})
    assert fit("forest_gri", given, spoilt).left_out == "what it sees is the target itself"


def test_the_mass_gives_the_metallicity_of_tremonti_within_the_range_of_the_relation_and_nothing_else() -> None:
    galaxies, target = make_galaxies()
    masses = np.linspace(8.0, 12.0, NUM)
    masses[:5] = [8.49, 8.5, 10.0, 11.5, 11.51]
    given = replace(galaxies, properties={"log_mass": masses})
    fitted = fit("mass_metallicity", given, target)
    # −1.492 + 1.847 x − 0.08026 x², by hand.
    np.testing.assert_allclose(fitted.predicted[:5], [np.nan, 8.408715, 8.952, 9.134115, np.nan], atol=1e-9)
    np.testing.assert_array_equal(np.isnan(fitted.predicted), (masses < 8.5) | (masses > 11.5))
    assert fitted.num_training == 0
    other = fit("mass_metallicity", given, target, is_metallicity=False)
    assert other.left_out == "it predicts 12 + log10(O/H) only"


def test_boosting_learns_from_a_few_dozen_too() -> None:
    galaxies, target = make_galaxies()
    fitted = fit("boosting_gri", galaxies, target, is_training=choose(0, 36))
    assert compute_error(fitted, target) < 0.5 * compute_error(fit("mean", galaxies, target), target)


def test_boosting_chooses_its_trees_by_the_validation_galaxies_only() -> None:
    galaxies, target = make_galaxies()
    assert "chosen by validation" in fit("boosting_gri", galaxies, target).note
    none = fit("boosting_gri", galaxies, target, is_validation=np.zeros(NUM, dtype=bool))
    assert "up to 8 leaves (not chosen: no validation galaxies)" in none.note


@pytest.mark.parametrize("kernel", ["rbf", "matern_5_2"])
def test_the_gradient_of_the_marginal_likelihood_is_that_of_small_steps(kernel: Any) -> None:
    generator = np.random.default_rng(0)
    features, values = generator.normal(size=(40, 3)), generator.normal(size=40)
    logs, step = np.array([0.3, 0.5, 0.9, 0.1, -0.6]), 1e-5

    def compute(at: Floats) -> tuple[float, Floats]:
        return process_module._compute_likelihood(features, values, kernel, at)

    steps = [(compute(logs + step * one)[0] - compute(logs - step * one)[0]) / (2 * step) for one in np.eye(5)]
    np.testing.assert_allclose(compute(logs)[1], steps, atol=1e-6)


@pytest.mark.parametrize("kernel", ["rbf", "matern_5_2"])
def test_the_process_agrees_with_that_of_scikit_learn_at_the_same_scales(kernel: Any) -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

    generator = np.random.default_rng(0)
    features, values = generator.normal(size=(50, 3)), generator.normal(size=50)
    logs = np.array([0.3, 0.5, 0.9, 0.1, -0.6])
    lengths = np.exp(logs[:3])
    shape = RBF(lengths) if kernel == "rbf" else Matern(lengths, nu=2.5)
    theirs = GaussianProcessRegressor(
        ConstantKernel(np.exp(0.2)) * shape + WhiteKernel(np.exp(-1.2)), optimizer=None, alpha=0
    ).fit(features, values)
    ours, _ = process_module._compute_likelihood(features, values, kernel, logs)
    assert -ours - 25 * np.log(2 * np.pi) == pytest.approx(theirs.log_marginal_likelihood_value_, rel=1e-9)
    scaled = features / lengths
    weights = process_module._find_weights(scaled, values, scaled, kernel, np.exp(0.1), np.exp(-0.6))
    squares = process_module._compute_squares(np.zeros((1, 3)), scaled)
    found = process_module._compute_kernel(squares, kernel)[0] @ weights
    np.testing.assert_allclose(found, theirs.predict(np.zeros((1, 3))), rtol=1e-8)


def test_the_process_finds_which_features_matter_and_how_much_nothing_tells() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(300, 4)) * [1, 10, 100, 0] + [0, 5, -3, 2]
    target = 8.9 + 0.2 * np.sin(features[:, 0]) + generator.normal(0, 0.03, 300)
    fitted = fit_gaussian_process(features[:200], target[:200])
    assert fitted.lengths[0] < 0.3 * fitted.lengths[1:3].min()
    assert fitted.noise == pytest.approx(0.03, rel=0.2)
    assert np.sqrt(np.mean((fitted.predict(features[200:]) - target[200:]) ** 2)) < 0.045
    moved = features.copy()
    moved[:, 3] += 1e-9  # of a feature that did not vary nothing was learnt
    np.testing.assert_allclose(fitted.predict(moved), fitted.predict(features), atol=1e-6)


def test_a_galaxy_far_from_all_others_is_predicted_as_their_mean() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(80, 2))
    target = 8.9 + 0.2 * np.sin(features[:, 0])
    far = np.array([[1e8, 0.0], [-1e200, 1e200]])
    np.testing.assert_allclose(fit_gaussian_process(features, target).predict(far), target.mean())


def test_a_process_on_some_galaxies_learns_from_all_of_them() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(900, 2))
    truth = np.sin(features[:, 0]) + 0.5 * np.cos(features[:, 1])
    target = truth + generator.normal(0, 0.5, 900)

    def compute_error(num_carriers: int, num_seen: int) -> float:
        fitted = fit_gaussian_process(
            features[:num_seen], target[:num_seen], most_exact=num_carriers, most_tuned=200, seed=3
        )
        assert len(fitted.basis) == num_carriers
        return float(np.sqrt(np.mean((fitted.predict(features[700:]) - truth[700:]) ** 2)))

    projected, exact, of_few = compute_error(120, 700), compute_error(700, 700), compute_error(120, 120)
    assert projected == pytest.approx(exact, rel=0.1)
    assert projected < 0.75 * of_few


def test_kinds_that_there_are_not_are_refused_with_the_nearest() -> None:
    for given, message in (
        ('["forest_grj"]', "there is no baseline 'forest_grj'. Did you mean 'forest_gri'?"),
        ("everything", "there is no baseline 'everything'. There are: mean, forest_10_gri,"),
        ('["mean", "mean"]', "kinds names 'mean' twice"),
        ("3", "kinds"),
    ):
        with pytest.raises(RecipeError) as refused:
            load_recipe("demo", [f"baselines.kinds={given}"])
        assert message in str(refused.value)
    assert load_recipe("demo", ["baselines.kinds=all"]).baselines.names == KNOWN_BASELINES
    assert load_recipe("demo", ["baselines.kinds=forest_gri"]).baselines.names == ("forest_gri",)
    assert load_recipe("demo", ['baselines.kinds=["forest_gri", "mean"]']).baselines.names == ("mean", "forest_gri")
