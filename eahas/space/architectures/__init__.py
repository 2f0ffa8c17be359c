"""Architecture families: a registry, and the computation of their networks' complexity."""

from eahas.space.architectures.family import ArchitectureFamily as ArchitectureFamily
from eahas.space.architectures.networks import architecture_hash as architecture_hash
from eahas.space.architectures.networks import complexity as complexity
from eahas.space.architectures.networks import complexity_columns as complexity_columns
from eahas.space.architectures.networks import graph_form as graph_form
from eahas.space.architectures.registry import FAMILIES as FAMILIES
