"""Search spaces as data: parameters, constraints, sampling, encoding, validation."""

from eahas.space.space import Space as Space
