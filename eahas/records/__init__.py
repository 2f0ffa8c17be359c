"""Records of runs: their schema, their Parquet files, and how a user's own rows are completed."""

from eahas.records.parquet import read_records as read_records
from eahas.records.parquet import write_records as write_records
