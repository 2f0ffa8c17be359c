"""NGBoost's trees of the mean answer as arrays what the library answers."""

from __future__ import annotations

import numpy as np
import pytest

from surrogates.models.natural_boosting import NgbSettings, fit_ngboost, grow_ngboost

pytest.importorskip("ngboost")


def test_the_arrays_answer_what_the_library_answers():
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=(200, 6)), 2)  # with ties, so that thresholds are met exactly
    y = np.stack([x[:, 0] * x[:, 1], 1e4 + 50 * np.sin(3 * x[:, 2])], axis=1)
    weight = rng.uniform(0.5, 1.0, 200)
    settings = NgbSettings(n_estimators=60, learning_rate=0.2)
    found = grow_ngboost(x, y, weight, settings, 3)
    assert found.many(x).shape == (1, 200, 2)
    for k in range(2):
        theirs = fit_ngboost(x, y[:, k], weight, settings, 3).predict(x.astype(np.float32))
        np.testing.assert_allclose(found.many(x)[0, :, k], theirs, rtol=1e-6, atol=1e-6)
        assert 1 - ((theirs - y[:, k]) ** 2).sum() / ((y[:, k] - y[:, k].mean()) ** 2).sum() > 0.8
