"""The lines that a run ends with say which method is best, and claim no more than the galaxies can tell."""

import numpy as np
import pytest

from metalight.evaluation import BaselineFacts, evaluate_predictions, score_beside, tell_best, tell_score


def tell(num: int, network: float, process: float, *, num_bootstrap: int = 200, has_baselines: bool = True) -> str:
    """Both lines, of residuals of these widths."""
    generator = np.random.default_rng(3)
    truth = generator.normal(8.9, 0.2, num)
    by_network, by_process = (truth + generator.normal(0, width, num) for width in (network, process))
    scores = evaluate_predictions(truth, by_network, baseline_mean=8.9, num_bootstrap=num_bootstrap)
    kinds = [("mean", np.full(num, 8.9)), ("gaussian_process", by_process), ("left out", np.full(num, np.nan))]
    baselines = [(BaselineFacts(name, "", 1, 1), predicted) for name, predicted in kinds if has_baselines]
    beside = score_beside(truth, by_network, baselines, num_bootstrap=num_bootstrap)
    return f"{tell_score('oh', scores, beside, 'dex')}\n{tell_best(scores, beside, 'dex')}"


@pytest.mark.parametrize(
    ("network", "process", "words"),
    [
        (0.05, 0.15, "The network is the best method here"),
        (0.15, 0.05, "gaussian_process is better than the network here"),
        (0.10, 0.101, "equally good, as far as 300 galaxies can tell"),
    ],
)
def test_a_difference_is_real_if_its_interval_excludes_0(network: float, process: float, words: str) -> None:
    told = tell(300, network, process)
    assert "gaussian_process" in told.splitlines()[0]
    assert "predicting the mean gives 0.2" in told
    assert words in told


def test_what_the_network_loses_by_is_told_as_a_positive_number() -> None:
    assert "-" not in tell(300, 0.15, 0.05).splitlines()[1]


def test_the_scores_of_others_keep_their_digits_where_the_network_diverged() -> None:
    assert "predicting the mean gives 0.2" in tell(300, 1e4, 0.05)


def test_few_galaxies_cannot_tell_what_many_can() -> None:
    assert "equally good" in tell(12, 0.1, 0.12)
    assert "is the best method" in tell(4000, 0.1, 0.12)


@pytest.mark.parametrize(
    ("width", "words"), [(0.05, "is better than"), (0.6, "is worse than"), (0.2, "is not clearly better than")]
)
def test_without_baselines_the_mean_is_what_to_beat(width: float, words: str) -> None:
    assert f"The network {words} predicting the mean" in tell(200, width, 0.1, has_baselines=False)


def test_without_intervals_nothing_is_claimed() -> None:
    assert "nobody knows whether that is chance" in tell(50, 0.05, 0.15, num_bootstrap=0)
    assert "–" not in tell(50, 0.05, 0.15, num_bootstrap=0)
