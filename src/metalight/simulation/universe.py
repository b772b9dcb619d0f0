"""A simulated universe: each relation is a setting, and can be switched off."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from metalight.errors import RecipeError, name_nearest, shorten
from metalight.recipe import Fraction, Settings, parse_value

Dex = Annotated[float, Field(ge=0, le=1)]

Structure = Literal["spirals", "smooth"]


class Universe(Settings):
    """Laws of a universe of galaxies, and what of them a survey sees.

    The defaults are of a universe with more to see than mass; `make_universe("mass-only")` is one in which metallicity
    follows mass alone.
    """

    sfr_dependence: Annotated[float, Field(ge=0, le=3)] = 1.0
    """How much metallicity follows star formation at one mass, times Mannucci et al. (2010), eq. 2; 0: not at all."""

    fourth_parameter: Literal["concentration", "surface_density", "none"] = "concentration"
    """What else metallicity follows, and images show: how much light is in the bulge, or how small a galaxy is for its
    mass (Ellison et al. 2008, ApJ 672, L107: of two galaxies of one mass, the smaller is richer)."""

    fourth_dex: Dex = 0.07
    """Change of the metallicity for one standard deviation of the fourth parameter."""

    invisible_dex: Dex = 0.04
    """Scatter of the metallicity that nothing visible tells of."""

    label_dex: Dex = 0.04
    """Error of the measured metallicity, of a galaxy in ten three times as large."""

    label_step_dex: Dex = 0.0
    """Step of a grid of models near which measured metallicities gather; 0: none. In the real labels it is 0.04."""

    main_sequence_dex: Dex = 0.3
    """Scatter of star formation at one mass."""

    mass_to_light_dex: Dex = 0.1
    """Scatter of mass at one luminosity and colour: Taylor et al. (2011), section 5."""

    colour_mag: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Scatter of g − r that nothing else tells of; r − i has half of it."""

    has_dust: bool = True
    """Discs are dimmer and redder the more edge-on they are, and the more massive and the more star-forming."""

    structure: Structure = "spirals"
    """Arms, bars, rings and clumps in the discs, or none."""

    has_k_corrections: bool = True
    """Whether redshift changes colours."""

    has_neighbours: bool = True
    """Whether images show stars and other galaxies."""

    quiescent_fraction: Fraction = 0.03
    """Galaxies that form few stars, among those of the catalogue."""

    merger_fraction: Fraction = 0.03
    """Galaxies with a close companion and tails."""

    quasar_fraction: Fraction = 0.002
    """Galaxies outshone by a point in their centre; their class is QSO."""

    has_line_limit: bool = True
    """Whether the lines that a metallicity is measured by must be seen in the fibre."""

    @model_validator(mode="after")
    def _minority_is_one(self) -> "Universe":
        if self.quiescent_fraction + self.merger_fraction + self.quasar_fraction > 1:
            raise ValueError("quiescent_fraction, merger_fraction and quasar_fraction are more than 1 together")
        return self


UNIVERSES = {
    "default": Universe(),
    "mass-only": Universe(sfr_dependence=0.0, fourth_parameter="none", fourth_dex=0.0, invisible_dex=0.1),
}
"""Universes by name."""


def make_universe(name: str, changes: Sequence[str] = ()) -> Universe:
    """A universe by name, with single laws changed.

    Args:
        name: One of `UNIVERSES`.
        changes: `key=value` each, values as in TOML, except that bare words need no quotes.

    Raises:
        RecipeError: There is no such universe or law, or a value does not fit.
    """
    if name not in UNIVERSES:
        raise RecipeError(f"There is no universe '{shorten(name)}'.{name_nearest(name[:80], list(UNIVERSES))}")
    values = UNIVERSES[name].model_dump()
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals:
            raise RecipeError(f"--set {shorten(change)} is not of the form key=value, such as invisible_dex=0.1.")
        if key not in values:
            raise RecipeError(f"Unknown law '{shorten(key)}'.{name_nearest(key[:80], list(values))}")
        values[key] = parse_value(text)
    try:
        return Universe.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = f"{problem['loc'][0]} = {shorten(repr(problem['input']))}" if problem["loc"] else "The universe"
        reason = problem["msg"].removeprefix("Value error, ")
        raise RecipeError(f"--set {where} does not fit: {reason[0].lower()}{reason[1:]}.") from None
