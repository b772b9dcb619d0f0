"""Labels from which there is something to learn."""

from collections.abc import Sequence

import pandas as pd

from metalight.errors import TrainingError


def check_labels_differ(galaxies: pd.DataFrame, targets: Sequence[str], whose: str) -> None:
    """Refuse galaxies that all have the same label; a single one is the splits' to refuse.

    Args:
        galaxies: With a column a target, none missing.
        targets: What is to be learnt.
        whose: Which galaxies they are, for the message.

    Raises:
        TrainingError: They have; the first such target is named.
    """
    for target in targets:
        values = galaxies[target].to_numpy()
        if len(values) > 1 and (values == values[0]).all():
            raise TrainingError(
                f"All {len(values):,} galaxies of {whose} have the same {target}, {values[0]:g}, so there is nothing "
                "to learn; check [catalog] targets."
            )
