"""How often the mass–metallicity study tells simulated universes apart, and finds a fourth parameter where one is.

    python benchmarks/mass_metallicity.py --seeds 12

makes surveys of 4,000 galaxies, learns from half of each with boosted trees on magnitudes, sizes and shapes, and judges
by the other half: verdicts, correlations left at fixed mass after errors of mass, fourth parameters, slopes on star
formation.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from metalight.evaluation.mass_metallicity import (
    compute_sfr_residuals,
    find_error,
    judge_knowledge,
    search_fourth_parameters,
    select_galaxies,
)

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from make_universes import SeenUniverse, see_universe

NUM_GALAXIES, FIRST_SEED = 4000, 100
HOW = {"num_bootstrap": 400}


def judge(seen: SeenUniverse) -> tuple[str, float, float]:
    half = slice(NUM_GALAXIES // 2, None)
    known = {name: values[half] for name, values in seen.properties.items()}
    test, _ = select_galaxies(
        known["metallicity"],
        known["log_mass"],
        seen.metallicity[half],
        log_mass_predicted=seen.log_mass[half],
        properties=known,
    )
    errors = [find_error(known, name, 0.1) for name in ("log_mass", "log_sfr")]
    found = judge_knowledge(test, *errors, num_shuffles=50, **HOW)
    return found.verdict, found.at_fixed_mass.partial.corrected.value, found.at_fixed_masses.corrected.value


def search(seen: SeenUniverse) -> tuple[Counter, float]:
    known = seen.properties
    galaxies, _ = select_galaxies(known["metallicity"], known["log_mass"], None, properties=known)
    errors = {name: find_error(known, name, 0.1).dex for name in ("log_mass", "log_sfr")}
    found = search_fourth_parameters(galaxies, errors, **HOW)
    slopes = compute_sfr_residuals(
        galaxies.metallicity,
        galaxies.log_mass,
        galaxies.properties["log_sfr"],
        mass_error_dex=errors["log_mass"],
        sfr_error_dex=errors["log_sfr"],
    )
    of_all = float(slopes["slope_corrected"].iloc[0])
    return Counter(f"{name} beside {relation}: {gain.verdict}" for (relation, name), gain in found.items()), of_all


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=12)
    seeds = range(FIRST_SEED, FIRST_SEED + parser.parse_args().seeds)
    for universe, exchanged in (("default", False), ("mass-only", False), ("default", True)):
        print(f"\n{universe}" + (", learnt from exchanged metallicities" if exchanged else ""))
        judged = [judge(see_universe(universe, NUM_GALAXIES, seed, exchanged=exchanged)) for seed in seeds]
        print("verdicts:", dict(Counter(verdict for verdict, *_ in judged)))
        for index, where in ((1, "measured mass"), (2, "measured and predicted mass")):
            left = [each[index] for each in judged]
            print(f"correlation left at fixed {where}: {min(left):.2f} to {max(left):.2f}")
        if exchanged:
            continue  # what was learnt changes nothing in the catalogue
        searched = [search(see_universe(universe, NUM_GALAXIES, seed)) for seed in seeds]
        for line, num in sorted(sum((counts for counts, _ in searched), Counter()).items()):
            print(f"{num:4d}  {line}")
        slopes = [slope for _, slope in searched]
        print(f"slope on SFR, corrected: {np.mean(slopes):.3f} ± {np.std(slopes) / np.sqrt(len(slopes)):.3f}")


if __name__ == "__main__":
    main()
