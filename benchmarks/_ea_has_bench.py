"""EA-HAS-Bench's own Bezier code, loaded from a clone, for the comparison with ours.

    git clone https://github.com/microsoft/EA-HAS-Bench && pip install bezier

Its file `BSC/bezier_vis.py` imports large packages that its Bezier functions do not use. Empty
modules replace these.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NAMES = {3: "Cubic", 4: "Quartic", 5: "Quintic", 6: "Sextic"}
UNUSED = {
    "cv2": (),
    "skimage": ("data", "color"),
    "skimage.transform": ("rescale", "resize", "downscale_local_mean"),
    "shapely": (),
    "shapely.geometry": (),
}


class Original:
    """The fit and decode functions of a clone."""

    def __init__(self, clone: Path, degree: int) -> None:
        self.module, self.name = _load_module(clone / "BSC" / "bezier_vis.py"), NAMES[degree]

    def fit(self, curve: Floats) -> Floats:
        """Control points (n + 1, 2) in epochs and the curve's unit."""
        epochs = np.arange(1, len(curve) + 1)
        inner = np.reshape(self.module.bezier_fit(epochs, curve, self.name), (-1, 2))
        return np.vstack(([1, curve[0]], inner, [len(curve), curve[-1]]))

    def decode(self, control: Floats, epochs: int) -> Floats:
        """The curve of control points (n + 1, 2) at the epochs 1..epochs."""
        inner = control[1:-1]
        given = np.concatenate((control[[0, -1], 1], inner[:, 0], inner[:, 1]))
        return np.array(self.module.get_points(given, epochs, self.name), dtype=np.float64)


def _load_module(path: Path) -> Any:
    if not path.is_file():
        raise SystemExit(f"{path} is missing: --peer is a clone of microsoft/EA-HAS-Bench")
    for name, members in UNUSED.items():
        empty = types.ModuleType(name)
        vars(empty).update(dict.fromkeys(members))
        sys.modules.setdefault(name, empty)
    spec = importlib.util.spec_from_file_location("bezier_vis", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
