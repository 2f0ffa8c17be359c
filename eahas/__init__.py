"""eahas: the energy-aware benchmark for hyperparameter and architecture search.

The public surface is `eahas.api`; this package itself imports nothing heavy.
"""

__version__ = "0.1.0"
