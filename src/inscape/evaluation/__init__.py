"""How good predictions are: spectra of a library, by every road, against the truth."""

from inscape.evaluation.baselines import Baselines, systems_in, twins_in
from inscape.evaluation.records import (
    Record,
    Truth,
    dos_record,
    plane_of,
    plane_record,
    powder_of,
    powder_record,
    read_truth,
    scattering,
)
from inscape.evaluation.rendered import Foretold, Rendered
from inscape.evaluation.roads import Outcome, Road, by_codes, by_force_constants, by_the_better, road_of
from inscape.evaluation.tables import TITLES, Evaluation, evaluate

__all__ = [
    "TITLES", "Baselines", "Evaluation", "Foretold", "Outcome", "Record", "Rendered", "Road", "Truth", "by_codes",
    "by_force_constants", "by_the_better", "dos_record", "evaluate", "plane_of", "plane_record", "powder_of",
    "powder_record", "read_truth", "road_of", "scattering", "systems_in", "twins_in",
]  # fmt: skip
