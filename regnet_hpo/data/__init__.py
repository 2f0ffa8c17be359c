"""The data sets that a spec can name.

Each reader returns all labelled images of a data set (`ImagePools`). `load_dataset` splits them
with a seed and downsamples them for the trainer.
"""

from .dataset import DataSet, Split
from .load import check_known, load_dataset
from .locate import DATA_ENV

__all__ = ["DATA_ENV", "DataSet", "Split", "check_known", "load_dataset"]
