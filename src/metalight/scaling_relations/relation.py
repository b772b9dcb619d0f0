"""A published relation: a formula and its range of validity."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from metalight.scaling_relations.conversions import CONVERSIONS, Conversion, require_accepted

FloatArray = npt.NDArray[np.float64]

Quantity = Literal["metallicity", "log_mass", "log_sfr"]
"""12 + log10(O/H); log10(M*/Msun); log10(SFR / (Msun/yr))."""


@dataclass(frozen=True)
class Cosmology:
    """Of a flat universe; masses and star formation rates were derived with it."""

    hubble_km_s_mpc: float = 70.0
    matter: float = 0.3


@dataclass(frozen=True)
class ScalingRelation:
    """A published relation."""

    name: str
    source: str
    """Paper and equation."""
    predicts: Quantity
    inputs: tuple[Quantity, ...]
    """Its variables, in the order of the formula's arguments."""
    formula: Callable[..., FloatArray]
    """Of any value of the inputs, also outside the range."""
    scale: str
    """Scale of the metallicities that it gives or takes; empty if it has none."""
    imf: str
    """Initial mass function of its masses and star formation rates."""
    sfr_kind: Literal["none", "total", "fibre"]
    """Of which part of a galaxy its star formation rate is."""
    ranges: dict[Quantity, tuple[float, float]]
    """Where each input must lie; the others are not bounded."""
    scatter_dex: float
    """Scatter about it that its authors tell, in what it predicts; NaN if not known."""
    cosmology: Cosmology = field(default_factory=Cosmology)
    unverified: str = ""
    """What of it could not be looked up in its source; empty: nothing."""

    def predict(
        self,
        *values: npt.ArrayLike,
        imf: str,
        scale: str = "",
        conversions: Sequence[Conversion] = (),
        accept_unverified: bool = False,
    ) -> FloatArray:
        """Prediction of the relation, NaN where an input is missing or outside its range.

        Args:
            values: The inputs in the order of `inputs`, with shapes that go together.
            imf: Initial mass function of the masses that are given, or wanted if it predicts masses.
            scale: Scale of the metallicities that are given or wanted; may be left out where it has none.
            conversions: Those that may be made; a conversion that is not named is never made. Star formation rates
                are not converted: IMFs change them, too.
            accept_unverified: Whether what could not be verified is taken on trust.

        Raises:
            ValueError: The values are not as many as the inputs; they are on another scale or with another IMF, and no
                conversion between the two is named; or something is unverified and that is not accepted.
        """
        require_accepted(self.name, self.unverified, accept_unverified)
        if len(values) != len(self.inputs):
            raise ValueError(f"{self.name} takes {', '.join(self.inputs)}, not {len(values)} values")
        of_user: dict[Quantity, tuple[str, str]] = {"log_mass": (imf, self.imf), "metallicity": (scale, self.scale)}
        given = []
        for name, value in zip(self.inputs, values, strict=True):
            theirs, ours = of_user.get(name, ("", ""))
            brought = np.asarray(value, dtype=np.float64)
            if theirs != ours:
                conversion = self._find(name, theirs, ours, conversions)
                brought = conversion.convert(brought, accept_unverified=accept_unverified)
            given.append(keep_range(brought, self.ranges.get(name)))
        predicted = np.asarray(self.formula(*given), dtype=np.float64)
        theirs, ours = of_user.get(self.predicts, ("", ""))
        if theirs != ours:
            conversion = self._find(self.predicts, ours, theirs, conversions)
            predicted = conversion.convert(predicted, accept_unverified=accept_unverified)
        return predicted

    def _find(self, quantity: Quantity, origin: str, target: str, conversions: Sequence[Conversion]) -> Conversion:
        """The named conversion from one scale or IMF to another."""
        for conversion in conversions:
            if (conversion.quantity, conversion.origin, conversion.target) == (quantity, origin, target):
                return conversion
        what = "scale of metallicity" if quantity == "metallicity" else "IMF"
        known = [name for name, each in CONVERSIONS.items() if (each.origin, each.target) == (origin, target)]
        hint = f"name the conversion '{known[0]}'" if known else "no conversion between the two is known here"
        ends = f"'{origin}' and '{target}'"
        raise ValueError(f"{self.name} and its user are not of one {what}, but of {ends}; {hint}")


def keep_range(values: FloatArray, bounds: tuple[float, float] | None) -> FloatArray:
    """The same, with NaN for values that lie outside the bounds or are not finite; both bounds lie inside."""
    low, high = bounds or (-np.inf, np.inf)
    return np.where(np.isfinite(values) & (values >= low) & (values <= high), values, np.nan)
