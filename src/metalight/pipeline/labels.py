"""Labels from which there is something to learn."""

from collections.abc import Sequence

import pandas as pd

from metalight.errors import TrainingError


def check_labels_differ(galaxies: pd.DataFrame, targets: Sequence[str], whose: str) -> None:
    """Refuse galaxies of which none has a label, or that all have the same; a single one is the splits' to refuse.

    Args:
        galaxies: With a column a target, NaN where it is missing.
        targets: What is to be learnt.
        whose: Which galaxies they are, for the message.

    Raises:
        TrainingError: They are; the first such target is named.
    """
    for target in targets:
        values = galaxies[target].dropna().to_numpy()
        if len(galaxies) > 1 and len(values) == 0:
            raise TrainingError(
                f"None of the {len(galaxies):,} galaxies of {whose} has {target}, so there is nothing to learn; check "
                "[catalog] targets."
            )
        if len(values) > 1 and (values == values[0]).all():
            raise TrainingError(
                f"All {len(values):,} galaxies of {whose} have the same {target}, {values[0]:g}, so there is nothing "
                "to learn; check [catalog] targets."
            )
