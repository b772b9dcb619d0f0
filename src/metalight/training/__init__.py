"""Training: the loss, the schedule of learning rates, the batches, the checkpoints, and the fit itself."""

from metalight.training.batches import EpochBatches, divide_into_batches
from metalight.training.checkpoints import list_checkpoints, load_last_checkpoint
from metalight.training.cost import TrainingCost, measure_training_cost
from metalight.training.fit import CheckpointPlace, FittedModel, TrainingData, fit_network
from metalight.training.loss import compute_loss
from metalight.training.part import choose_part, count_part
from metalight.training.rate_finder import RateRange, RateTrial, find_learning_rate, judge_losses
from metalight.training.schedule import compute_plateau_factor, compute_rate_factor
