"""A recipe of any text: it is read or refused in one sentence."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
import tomli_w

from bounded import Feed, count_outcomes
from metalight.errors import RecipeError
from metalight.recipe import Recipe, dump_recipe, list_presets, load_recipe, show_preset
from mutate import mutate_values, mutations, noise

counts = pytest.mark.parametrize("count", [1000, pytest.param(100_000, marks=pytest.mark.soak)])

OVERRIDES = (
    "training.batch_size=16",
    'catalog.targets=["oh_p50", "lgm_tot_p50"]',
    "training.learning_rates=[0.001, 0.01, 0.1]",
    "cutouts.lupton.minimum=[0.0, 0.1, 0.2]",
    "catalog.path=a b.csv",
)


def write_recipe(seed: int, texts: list[str]) -> bytes:
    """The text of a recipe that is damaged, or that is whole and says something odd, or noise."""
    text = texts[seed % len(texts)]
    if seed % 10 == 0:
        return noise(seed)
    if seed % 100 == 1:
        return nest(seed // 100)
    if seed % 2:
        return mutations(text.encode(), seed)
    values = mutate_values(tomllib.loads(text), np.random.default_rng(seed))
    try:
        return tomli_w.dumps(values).encode()
    except (TypeError, AttributeError, ValueError):
        return str(values).encode(errors="surrogatepass")  # TOML has no null, and is a table


def nest(seed: int) -> bytes:
    """TOML that is nested as deeply as its size allows, in each way that TOML has."""
    depth = 10 ** (1 + seed % 5)
    ways = (
        f"{'a.' * depth}a = 1",
        f"[{'a.' * depth}a]",
        f"""a = 1{chr(10)}[["b".{'"b" . ' * depth}b]]""",
        f"a = {'[' * depth}{']' * depth}",
        f"a = {'{a = ' * depth}1{'}' * depth}",
        f"[catalog]{chr(10)}path = '{'a' * depth}'",
    )
    return ways[seed // 5 % len(ways)].encode()


def write_override(seed: int) -> str:
    return mutations(OVERRIDES[seed % len(OVERRIDES)].encode(), seed).decode(errors="surrogateescape")


def find_outcome(recipe: str, overrides: tuple[str, ...] = ()) -> str:
    try:
        loaded = load_recipe(recipe, overrides)
    except RecipeError as error:
        message = str(error)
    else:
        assert isinstance(loaded, Recipe)
        assert tomllib.loads(dump_recipe(loaded))
        return "read"
    assert "\n" not in message, message
    assert len(message) < 2000, message[:3000]
    return "refused"


def prepare(folder: Path) -> Feed:
    texts = [show_preset(name) for name in list_presets()] + [dump_recipe(load_recipe(name)) for name in list_presets()]
    path = folder / "recipe.toml"

    def feed(seed: int) -> str:
        if seed % 2:
            return find_outcome("paper", (write_override(seed),))
        path.write_bytes(write_recipe(seed // 2, texts))
        return find_outcome(str(path))

    return feed


@counts
def test_a_recipe_of_any_text_is_read_or_refused(tmp_path: Path, count: int) -> None:
    outcomes = count_outcomes(prepare, tmp_path, seeds=range(count))
    assert set(outcomes) == {"read", "refused"}
    assert min(outcomes.values()) > count / 20
