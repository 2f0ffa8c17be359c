"""What pyproject.toml cannot say: `checkpoints/` is installed as the folder `eahas/checkpoints`."""

from setuptools import find_packages, setup

ROOMS = ["eahas", "regnet_hpo", "surrogates", "sweeps"]

setup(
    packages=[
        *find_packages(include=[*ROOMS, *(f"{room}.*" for room in ROOMS)]),
        "eahas.checkpoints",
    ],
    package_dir={"eahas.checkpoints": "checkpoints"},
)
