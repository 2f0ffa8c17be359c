"""Data sets that a spec can name: read, split with a seed, and ready for the trainer.

Each reader gives whole pools of labelled pictures; one place averages them down and carves
training, validation and test images out of them.
"""

from .dataset import DataSet, Split
from .load import check_known, load_dataset
from .locate import DATA_ENV

__all__ = ["DATA_ENV", "DataSet", "Split", "check_known", "load_dataset"]
