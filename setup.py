"""The packages: two of them stand outside the folder that they are installed in."""

from setuptools import find_packages, setup

# The benchmarks that ship, and the suites that a plug-in imports to test its own.
OUTSIDE = {"eahas.checkpoints": "checkpoints", "eahas.contract": "tests/contract/suites"}
ROOMS = ["eahas", "regnet_hpo", "surrogates", "sweeps"]

setup(
    packages=[
        *find_packages(include=[*ROOMS, *(f"{room}.*" for room in ROOMS)]),
        *OUTSIDE,
    ],
    package_dir=OUTSIDE,
)
