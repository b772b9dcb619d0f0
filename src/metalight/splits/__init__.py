"""Training, validation and test sets: every galaxy in exactly one."""

from metalight.splits.column import assign_column
from metalight.splits.folds import assign_fold
from metalight.splits.groups import find_groups
from metalight.splits.ids import assign_ids, load_test_ids
from metalight.splits.random import assign_random
from metalight.splits.sets import SCORED_SETS, SPLITS
from metalight.splits.sky import assign_sky
