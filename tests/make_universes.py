"""Two simulated universes as a study sees them: catalogues, and the predictions of cheap models on what is visible."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from metalight.atomic import replace_file
from metalight.catalog import compute_properties
from metalight.evaluation.mass_metallicity import shuffle_within_mass
from metalight.recipe import dump_recipe, load_recipe
from metalight.run_folder import RunFolder, name_predicted
from metalight.simulation import build_catalog, draw_population, make_universe
from metalight.tables import Table, save_table

VISIBLE = (
    *("g_magnitude", "r_magnitude", "i_magnitude", "petro_r50_arcsec", "petro_r90_arcsec", "axis_ratio"),
    *("concentration", "colour_gradient"),
)
"""What an image shows of a galaxy, as the truth has it."""

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class SeenUniverse:
    """Galaxies of a universe, their catalogue, and predictions of the second half by models of the first."""

    population: pd.DataFrame
    catalog: Table
    metallicity: FloatArray
    """Predicted, of all galaxies; those of the first half were learnt from."""
    log_mass: FloatArray
    """Likewise."""

    @property
    def properties(self) -> dict[str, FloatArray]:
        """Of all galaxies."""
        frame = compute_properties(self.catalog, {}, path="catalogue").frame
        return {str(name): frame[name].to_numpy() for name in frame}


def see_universe(
    name: str, num_galaxies: int, seed: int, changes: tuple[str, ...] = (), *, exchanged: bool = False
) -> SeenUniverse:
    """A universe of `make_universe`, half of it learnt from; `exchanged`: from metallicities of others of that mass."""
    universe = make_universe(name, changes)
    population = draw_population(num_galaxies, seed, universe)
    catalog = build_catalog(population, seed, universe)
    visible = population[list(VISIBLE)].to_numpy()
    learnt = slice(0, num_galaxies // 2)
    predicted = []
    for column in ("oh_p50", "lgm_tot_p50"):
        model = HistGradientBoostingRegressor(
            max_iter=40, learning_rate=0.15, max_leaf_nodes=15, early_stopping=False, random_state=0
        )
        labels = catalog.frame[column].to_numpy()
        if exchanged and column == "oh_p50":
            labels = shuffle_within_mass(labels, catalog.frame["lgm_tot_p50"].to_numpy(), seed)
        model.fit(visible[learnt], labels[learnt])
        predicted.append(model.predict(visible))
    return SeenUniverse(population, catalog, predicted[0], predicted[1])


def write_run(seen: SeenUniverse, folder: Path, *, predicts_mass: bool = True) -> RunFolder:
    """A run folder as `metalight run` leaves it, as far as studies read it: half learnt from, a tenth validation."""
    targets = ["oh_p50", "lgm_tot_p50"] if predicts_mass else ["oh_p50"]
    run = RunFolder(folder)
    folder.mkdir(parents=True)
    recipe = load_recipe("paper", [f"catalog.targets={targets!r}", "catalog.path=catalog.csv"])
    with replace_file(run.recipe) as temporary:
        temporary.write_text(dump_recipe(recipe), encoding="utf-8")
    frame = seen.catalog.frame.rename(columns={"objID": "object_id"})
    save_table(Table(frame, seen.catalog.info), run.catalog)
    num = len(frame)
    split = np.where(np.arange(num) < num // 2, "train", np.where(np.arange(num) < 6 * num // 10, "validation", "test"))
    # In another order than the catalogue: rows must be matched by their identifiers.
    order = np.random.default_rng(0).permutation(num)
    save_table(Table(pd.DataFrame({"object_id": frame["object_id"], "split": split}).iloc[order], {}), run.splits)
    for name in ("validation", "test"):
        rows = order[split[order] == name]
        table = frame.iloc[rows][["object_id", *targets]].assign(
            **{name_predicted("oh_p50"): seen.metallicity[rows], name_predicted("lgm_tot_p50"): seen.log_mass[rows]}
        )
        wanted = ["object_id", *targets, *(name_predicted(target) for target in targets)]
        save_table(Table(table[wanted].reset_index(drop=True), {}), run.predictions(name))
    return run
