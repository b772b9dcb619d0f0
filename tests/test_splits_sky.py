"""Promises of the splits by the sky: what is linked stays together, nothing else does, sizes are as near as can be."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from make_skies import Sky, compute_links, join_by_hand, measure_separations, scatter, skies, turn
from metalight.errors import SplitError
from metalight.splits import SPLITS, assign_random, assign_sky, find_groups

LINKS = st.sampled_from([1.0, 20.0, 60.0, 200.0])


def group(sky: Sky, link_arcsec: float, image_labels: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.int64]:
    return find_groups(
        sky.object_ids,
        ra_deg=sky.ra_deg,
        dec_deg=sky.dec_deg,
        link_arcsec=link_arcsec,
        frame_arcsec=sky.frame_arcsec,
        image_labels=image_labels,
    )


def sizes(splits: pd.DataFrame) -> list[int]:
    return [int((splits["split"] == split).sum()) for split in SPLITS]


@given(skies(), LINKS)
@settings(deadline=None)
def test_groups_are_the_connected_components_and_nothing_more(sky: Sky, link_arcsec: float) -> None:
    excess = measure_separations(sky) - compute_links(sky, link_arcsec)
    assume(np.abs(excess).min() > 1e-6)  # nearer than the two formulas agree
    assert group(sky, link_arcsec).tolist() == join_by_hand(sky.object_ids, excess <= 0)


@pytest.mark.parametrize("pairs_at_once", [50, 4_000_000])
@pytest.mark.parametrize("largest_frame", [0.0, 50.0, 400.0])
@pytest.mark.parametrize("spread_arcsec", [20.0, 300.0, 1500.0])
def test_dense_fields_have_the_same_groups_as_by_hand(
    pairs_at_once: int, largest_frame: float, spread_arcsec: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metalight.splits.groups._PAIRS_AT_ONCE", pairs_at_once)
    generator = np.random.default_rng(int(spread_arcsec + largest_frame))
    # Two clumps whose edges are nearly a link apart, among single galaxies.
    centres = np.array([(0.0, 30.0), (0.1, 30.0), (359.95, 30.02)])[generator.integers(0, 3, 600)]
    sky = scatter(generator, centres, spread_arcsec, largest_frame)
    is_linked = measure_separations(sky) <= compute_links(sky, 30.0)
    groups = group(sky, 30.0)
    assert groups.tolist() == join_by_hand(sky.object_ids, is_linked)


@given(skies(max_size=60), LINKS, st.integers(0, 9))
@settings(deadline=None)
def test_no_two_galaxies_of_different_sets_are_near_each_other_or_in_touching_frames(
    sky: Sky, link_arcsec: float, seed: int
) -> None:
    try:
        splits = assign_sky(sky.object_ids, group(sky, link_arcsec), seed=seed)["split"].to_numpy()
    except SplitError:
        return
    separations = measure_separations(sky)
    is_divided = splits[:, None] != splits
    assert (separations[is_divided] > link_arcsec - 1e-6).all()
    # Squares that are turned at most so touch only if they are as near as this in one direction at least.
    half_sides = sky.frame_arcsec / 2
    assert (separations > half_sides[:, None] + half_sides - 1e-6)[is_divided].all()


def test_galaxies_across_right_ascension_0_and_across_a_pole_are_neighbours() -> None:
    sky = Sky(
        np.arange(6),
        np.array([359.9999, 0.0001, 20.0, 200.0, 20.0, 200.0]),
        np.array([0.0, 0.0, 89.995, 89.995, -89.99, -89.99]),
        np.zeros(6),
    )
    assert group(sky, 60.0).tolist() == [0, 0, 2, 2, 4, 5]


@given(skies(), LINKS, st.integers(0, 2**32))
@settings(deadline=None)
def test_a_turn_of_the_sky_changes_no_group(sky: Sky, link_arcsec: float, seed: int) -> None:
    excess = measure_separations(sky) - compute_links(sky, link_arcsec)
    assume(np.abs(excess).min() > 1e-6)  # nearer than rounding lets one tell
    assert group(turn(sky, seed), link_arcsec).tolist() == group(sky, link_arcsec).tolist()


def test_a_chain_is_one_group_however_long() -> None:
    num = 500
    sky = Sky(np.arange(num)[::-1].copy(), np.arange(num) * 59.9 / 3600, np.zeros(num), np.zeros(num))
    assert set(group(sky, 60.0).tolist()) == {0}
    assert len(set(group(sky, 59.8).tolist())) == num


def test_squares_that_touch_at_their_corners_are_linked_beyond_the_sum_of_half_sides() -> None:
    # Frames of 100 and 60 arcsec, centres 79.9 arcsec apart both ways: they overlap at a corner, 113 arcsec away.
    apart = 79.9 / 3600
    sky = Sky(np.arange(2), np.array([10.0, 10.0 + apart]), np.array([0.0, apart]), np.array([100.0, 60.0]))
    assert group(sky, 60.0).tolist() == [0, 0]
    further = Sky(sky.object_ids, np.array([10.0, 10.0 + 80.1 / 3600]), np.array([0.0, 80.1 / 3600]), sky.frame_arcsec)
    assert group(further, 60.0).tolist() == [0, 1]


def test_identical_images_are_linked_wherever_they_are_and_bring_their_neighbours() -> None:
    sky = Sky(np.arange(5), np.array([0.0, 90.0, 90.01, 180.0, 270.0]), np.zeros(5), np.zeros(5))
    assert group(sky, 60.0, np.array([7, 7, 8, 9, 10])).tolist() == [0, 0, 1 - 1, 3, 4]
    assert group(sky, 1.0, np.array([7, 7, 8, 9, 8])).tolist() == [0, 0, 2, 3, 2]


@given(skies(), LINKS, st.randoms(use_true_random=False), st.integers(0, 5))
@settings(deadline=None)
def test_the_order_of_rows_changes_neither_groups_nor_sets(
    sky: Sky, link_arcsec: float, random: object, seed: int
) -> None:
    order = list(range(len(sky.object_ids)))
    random.shuffle(order)  # type: ignore[attr-defined]
    mixed = sky.take(np.array(order))
    groups, again = group(sky, link_arcsec), group(mixed, link_arcsec)
    assert again.tolist() == groups[order].tolist()
    try:
        first = assign_sky(sky.object_ids, groups, seed=seed)
    except SplitError as error:
        with pytest.raises(SplitError, match=str(error)[:20]):
            assign_sky(mixed.object_ids, again, seed=seed)
        return
    second = assign_sky(mixed.object_ids, again, seed=seed)
    assert second["split"].tolist() == first["split"].to_numpy()[order].tolist()


GROUP_SIZES = st.lists(st.integers(1, 12), min_size=3, max_size=60)


def deal(group_sizes: list[int], seed: int = 0) -> pd.DataFrame:
    num = sum(group_sizes)
    return assign_sky(np.arange(num), np.repeat(np.cumsum([0, *group_sizes[:-1]]), group_sizes), seed=seed)


@given(GROUP_SIZES, st.integers(0, 20))
def test_every_group_is_in_one_set_and_no_set_is_far_from_its_part(group_sizes: list[int], seed: int) -> None:
    num = sum(group_sizes)
    assume(num >= 5)
    wanted = sizes(assign_random(np.arange(num)))
    try:
        splits = deal(group_sizes, seed)
    except SplitError:  # two sets overflow by less than a group each, and the third lacks that, so not for small groups
        assert 4 * max(group_sizes) > min(wanted)
        return
    assert (splits.groupby("group")["split"].nunique() == 1).all()
    for size, right in zip(sizes(splits), wanted, strict=True):
        assert right / 2 <= size <= right * 3 / 2
    assert splits["object_id"].tolist() == list(range(sum(group_sizes)))
    assert splits["group"].dtype == np.int64


@given(GROUP_SIZES, st.integers(0, 20))
def test_enough_single_galaxies_make_the_sizes_exact(group_sizes: list[int], seed: int) -> None:
    with_singles = group_sizes + [1] * (3 * max(group_sizes))
    assert sizes(deal(with_singles, seed)) == sizes(assign_random(np.arange(sum(with_singles))))


def test_a_group_for_which_no_set_has_room_goes_where_it_matters_least() -> None:
    # Of 100 galaxies, 60, 20 and 20 are wanted: beside 40, 25 make 5 of 60 too much, or else 5 of 20.
    for seed in range(10):
        assert sizes(deal([40, 25, *[1] * 35], seed))[0] == 65


def test_a_group_larger_than_a_set_leaves_something_for_each() -> None:
    for seed in range(10):
        assert sizes(deal([70, 10, 10, 10], seed)) in ([70, 10, 20], [70, 20, 10])


def test_large_groups_are_as_likely_to_be_tested_as_single_galaxies() -> None:
    # Pairs all for training, say, would leave no crowded place to judge by. 300 pairs and 400 single galaxies.
    in_test = []
    for seed in range(20):
        splits = deal([2] * 300 + [1] * 400, seed)
        in_test.append(float((splits["split"][:600] == "test").mean()))
    # Of 300 pairs 20 % scatters by 2.3 %, the mean of 20 draws by 0.5 %.
    assert abs(np.mean(in_test) - 0.2) < 0.02


def test_another_seed_gives_other_sets_of_the_same_groups() -> None:
    drawn = [deal([3, 2, 2, *[1] * 40], seed)["split"].tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_new_galaxy_far_from_all_leaves_nearly_all_sets_as_they_are() -> None:
    object_ids = np.arange(0, 4000, 2)
    groups = np.where(object_ids < 600, object_ids - object_ids % 6, object_ids)
    before = assign_sky(object_ids, groups)["split"].to_numpy()
    moved = []
    for new in (1, 1999, 3999):
        after = assign_sky(np.append(object_ids, new), np.append(groups, new))["split"].to_numpy()[:-1]
        moved.append(int((before != after).sum()))
    assert max(moved) < 0.02 * len(object_ids)


@pytest.mark.parametrize(
    ("group_sizes", "message"),
    [
        (
            [40],
            "The 40 galaxies form one group, fewer than the 3 sets: .* lower .* link_arcmin, or take another method",
        ),
        ([30, 10], "form only 2 groups, fewer than the 3 sets"),
        (
            [95, 1, 1, 3],
            r"One group holds 95 of the 100 galaxies, more than any set is to have \(60\): .* stay together\. "
            r"See that \[catalog\] ra and dec are right, lower \[splits\] link_arcmin, or take another method\.",
        ),
        ([30, 30, 30], "do not make 54 train, 18 validation, 18 test: the largest, .* has 30, and "),
    ],
)
def test_groups_that_cannot_be_dealt_out_are_refused_with_ways_out(group_sizes: list[int], message: str) -> None:
    with pytest.raises(SplitError, match=message) as caught:
        deal(group_sizes)
    assert "\n" not in str(caught.value)


def test_fractions_that_whole_groups_cannot_meet_are_refused_with_what_they_would_give() -> None:
    object_ids = np.arange(100)
    message = (
        r"make 90 train, 5 validation, 5 test: the largest, which stays together, has 10, and the nearest that "
        r"was found is 80 train, 10 validation, 10 test\. Change \[splits\] fractions or seed, lower"
    )
    with pytest.raises(SplitError, match=message):
        assign_sky(object_ids, object_ids - object_ids % 10, fractions=(0.9, 0.05, 0.05))
    assert sizes(assign_sky(object_ids, object_ids, fractions=(0.9, 0.05, 0.05))) == [90, 5, 5]


def test_two_groups_are_enough_without_validation() -> None:
    splits = assign_sky(np.arange(10), np.repeat([0, 8], [8, 2]), fractions=(0.8, 0.0, 0.2))
    assert sizes(splits) == [8, 0, 2]


def test_no_galaxies_are_refused_and_a_single_one_is_its_own_group() -> None:
    nothing = np.array([], dtype=np.int64)
    assert find_groups(nothing, ra_deg=np.zeros(0), dec_deg=np.zeros(0), link_arcsec=60.0).tolist() == []
    with pytest.raises(SplitError, match="no galaxy is left for training"):
        assign_sky(nothing, nothing)
    assert find_groups(np.array([5]), ra_deg=np.zeros(1), dec_deg=np.zeros(1), link_arcsec=60.0).tolist() == [5]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ra_deg": np.zeros(2)}, "one position and one frame"),
        ({"ra_deg": np.array([0, 1, np.nan])}, "must be finite"),
        ({"dec_deg": np.array([0, 1, 90.1])}, "from -90 to 90"),
        ({"link_arcsec": 0.0}, "more than 0"),
        ({"frame_arcsec": np.array([0.0, -1.0, 0.0])}, "0 or more"),
    ],
)
def test_arguments_that_do_not_fit_are_wrong(changes: dict[str, object], message: str) -> None:
    arguments = {"ra_deg": np.zeros(3), "dec_deg": np.zeros(3), "link_arcsec": 60.0, **changes}
    with pytest.raises(ValueError, match=message):
        find_groups(np.arange(3), **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one group for each"):
        assign_sky(np.arange(3), np.arange(2))
    with pytest.raises(ValueError, match="repeat"):
        assign_sky(np.zeros(3, dtype=np.int64), np.arange(3))
