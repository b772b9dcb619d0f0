"""Settings of the baselines: which simple methods stand beside the network."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from metalight.errors import name_nearest
from metalight.recipe.base import Settings

KNOWN_BASELINES = (
    *("mean", "forest_10_gri", "forest_gri", "boosting_gri", "forest_10_ugriz", "forest_ugriz", "boosting_ugriz"),
    *("forest_10_colours", "forest_colours", "boosting_colours"),
    *("forest_10_colours_r", "forest_colours_r", "boosting_colours_r"),
    *("forest_pixel", "forest_apertures", "boosting_apertures", "gaussian_process", "mass_metallicity"),
)
"""Names of the baselines that `metalight.baselines.BASELINES` defines, in the order of tables."""


class BaselinesSettings(Settings):
    """Which baselines are fitted to the training galaxies and scored beside the network: see docs/baselines.md."""

    kinds: Literal["all", "none"] | tuple[str, ...] = ()
    """Names of baselines, `all` of them, or `none`. Those that need columns which the catalogue does not have are left
    out and named in the table, each with its reason."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the trees, of the galaxies by which boosting stops, and of those that a Gaussian process is made of."""

    @property
    def names(self) -> tuple[str, ...]:
        """The baselines that are wanted, in the order of tables."""
        if isinstance(self.kinds, str):
            return KNOWN_BASELINES if self.kinds == "all" else ()
        return tuple(sorted(self.kinds, key=KNOWN_BASELINES.index))

    @model_validator(mode="after")
    def _kinds_are_known(self) -> "BaselinesSettings":
        for place, name in enumerate(() if isinstance(self.kinds, str) else self.kinds):
            if name not in KNOWN_BASELINES:
                near = name_nearest(name[:80], [*KNOWN_BASELINES, "all", "none"])
                raise ValueError(f"there is no baseline '{name[:80]}'.{near}")
            if name in self.kinds[:place]:
                raise ValueError(f"kinds names '{name}' twice")
        return self
