"""Studies: many runs of one recipe that differ in a few settings, and what they say together."""

from metalight.studies.learning_rate import RateReport, study_learning_rate
from metalight.studies.perform import StudyReport, perform_study
from metalight.studies.plan import Plan, PlannedRun, plan_study
from metalight.studies.results import Result, Summary
from metalight.studies.table import Study, StudyTable, list_studies, load_study
