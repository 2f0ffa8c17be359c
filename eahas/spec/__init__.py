"""The spec of a benchmark: its search space, its targets, and the settings of the training."""

from eahas.spec.spec import Spec as Spec
from eahas.spec.spec import spec_from_dict as spec_from_dict
from eahas.spec.targets import KNOWN_TARGETS as KNOWN_TARGETS
from eahas.spec.targets import Target as Target
