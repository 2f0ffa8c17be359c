"""Model families by name: what they fit, and with which settings.

The names are those of EA-HAS-Bench, NAS-Bench-X11, NAS-Bench-301 and Accel-NASBench. `_STAR` takes
the loss on the drawn curve; `_hpo` is the same composition with tuned settings; `_accel` is for
what networks cost on accelerators.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from eahas.errors import FitError, unknown
from eahas.models.ensemble import Ensemble
from eahas.spec.spec import Spec
from eahas.spec.targets import Target
from surrogates.data.dataset import Runs
from surrogates.models.codec_ensembles import fit_curves_coded, fit_scalars_coded
from surrogates.models.kernels import GpSettings, NuSvrSettings, SvrSettings
from surrogates.models.member_fits import CodeSettings
from surrogates.models.natural_boosting import NgbSettings
from surrogates.models.network_training import (
    FitSettings,
    NetSettings,
    Progress,
    fit_curves,
    fit_scalars,
)
from surrogates.models.networks import one_thread
from surrogates.models.trees import ForestSettings, LgbSettings, XgbSettings
from surrogates.settings import configured as configured
from surrogates.settings import shipped

CURVES = FitSettings(weight_decay=0.3, left_out=0)
SCALARS = FitSettings(hidden=(64, 64), steps=2000, weight_decay=0.3, dropout=0.05)
CODES = NetSettings(weight_decay=0.3)
# One number a run: smaller trees; a fifth member would add nothing.
XGB_ONE = XgbSettings(members=4, rounds=500, learning_rate=0.09, max_depth=4, colsample_bytree=0.5)
LGB_ONE = LgbSettings(members=4, rounds=800, learning_rate=0.06, num_leaves=8, feature_fraction=0.6)
Settings = FitSettings | CodeSettings
EITHER = "either"


@dataclass(frozen=True)
class Family:
    """A kind of surrogate: what it predicts, through which codec, by which regressor.

    `targets` is "curves", "scalars", or "either": the curves of a spec, and the scalars of one that
    has no curves. The type of the settings says by which regressor.
    """

    name: str
    targets: str
    defaults: Settings
    about: str
    codec: str = ""  # of curves
    tuned: bool = False  # its settings ship as a file

    @property
    def settings(self) -> Settings:
        return configured(self.defaults, shipped(self.name)) if self.tuned else self.defaults

    @property
    def knobs(self) -> frozenset[str]:
        """The names of the settings that change what it fits."""
        names = {field.name for field in fields(self.defaults)}
        if self.codec != "bezier":
            names -= {"degree"}
        if not self.codec:
            names -= {"positions", "last_epoch_weight"}
        return frozenset(names)

    def kind(self, spec: Spec) -> str:
        """What it predicts of this spec: "curves" or "scalars"."""
        if self.targets != EITHER:
            return self.targets
        return "curves" if spec.curves else "scalars"

    def targets_of(self, spec: Spec) -> tuple[Target, ...]:
        """The targets of this spec that it predicts; FitError where there is none."""
        found: tuple[Target, ...] = getattr(spec, self.kind(spec))
        if not found:
            raise FitError(f"model {self.name} fits {self.kind(spec)}; {spec.name} has none")
        return found

    def fit(
        self, runs: Runs, settings: Settings | None = None, progress: Progress | None = None
    ) -> Ensemble:
        """An uncalibrated ensemble of these runs; FitError where the spec has no target for it."""
        self.targets_of(runs.spec)
        with one_thread():
            fitted = self._fitted(runs, self.settings if settings is None else settings, progress)
        return replace(fitted, manifest={**fitted.manifest, "family": self.name})

    def _fitted(self, runs: Runs, settings: Settings, progress: Progress | None) -> Ensemble:
        curves = self.kind(runs.spec) == "curves"
        if isinstance(settings, FitSettings):
            if curves:
                return fit_curves(runs, settings, progress, codec=self.codec)
            return fit_scalars(runs, settings, progress)
        if curves:
            return fit_curves_coded(runs, settings, progress, codec=self.codec)
        return fit_scalars_coded(runs, settings, progress)


BEZIER, GRID, SVD = "Bezier control points", "values on a grid", "singular values of the curves"
VAE = "codes of a variational autoencoder"
LAST = "the last epoch, or scalars; before the last epoch a typical curve, moved: crude"
COSTS, ACCEL = "time and energy", "throughput and latency of accelerators"
NETWORKS, XGB, LGB = "networks", "XGBoost", "LightGBM"
FOREST, SVR, NU_SVR = "random forest", "support vectors", "nu support vectors"


def _named(*families: Family) -> dict[str, Family]:
    return {family.name: family for family in families}


FAMILIES = _named(
    Family("bezier_nn_STAR", "curves", CURVES, f"{NETWORKS} for {BEZIER}", "bezier"),
    Family("bezier_nn_hpo", "curves", CURVES, "bezier_nn_STAR, tuned", "bezier", tuned=True),
    Family("lc_nn_STAR", "curves", CURVES, f"{NETWORKS} for {GRID}", "identity"),
    Family("lc_nn_hpo", "curves", CURVES, "lc_nn_STAR, tuned", "identity", tuned=True),
    Family("svd_lgb", "curves", LgbSettings(), f"{LGB} for {SVD} (NAS-Bench-X11)", "svd"),
    Family("svd_lgb_hpo", "curves", LgbSettings(), "svd_lgb, tuned", "svd", tuned=True),
    Family("svd_xgb", "curves", XgbSettings(), f"{XGB} for {SVD} (NAS-Bench-X11)", "svd"),
    Family("svd_nn", "curves", CODES, f"{NETWORKS} for {SVD}, loss on these", "svd"),
    Family("svd_nn_STAR", "curves", CURVES, f"{NETWORKS} for {SVD}, loss on the curve", "svd"),
    Family("svd_nn_hpo", "curves", CODES, "svd_nn, tuned", "svd", tuned=True),
    Family("vae_nn", "curves", CODES, f"{NETWORKS} for {VAE}", "vae"),
    Family("vae_lgb", "curves", LgbSettings(), f"{LGB} for {VAE}", "vae"),
    Family("vae_xgb", "curves", XgbSettings(), f"{XGB} for {VAE}", "vae"),
    Family("xgb", EITHER, XGB_ONE, f"{XGB} for {LAST}", "last"),
    Family("lgb", EITHER, LGB_ONE, f"{LGB} for {LAST}", "last"),
    Family("xgb_time", "scalars", XgbSettings(), f"{XGB} for {COSTS}"),
    Family("lgb_time", "scalars", LgbSettings(), f"{LGB} for {COSTS}"),
    Family("lgb_E", "scalars", LgbSettings(), f"{LGB} for {COSTS}"),
    Family("nn_E", "scalars", SCALARS, f"{NETWORKS} for {COSTS}"),
    Family("sklearn_forest", EITHER, ForestSettings(), f"{FOREST} for {LAST}", "last"),
    Family("svr", EITHER, SvrSettings(), f"{SVR} for {LAST}", "last"),
    Family("svr_nu", EITHER, NuSvrSettings(), f"{NU_SVR} for {LAST}", "last"),
    Family("ngb", EITHER, NgbSettings(), f"NGBoost for {LAST}", "last"),
    Family("gp", EITHER, GpSettings(), f"Gaussian process for {LAST}", "last"),
    Family("xgb_accel", "scalars", XGB_ONE, f"{XGB} for {ACCEL}"),
    Family("lgb_accel", "scalars", LGB_ONE, f"{LGB} for {ACCEL}"),
    Family("sklearn_forest_accel", "scalars", ForestSettings(), f"{FOREST} for {ACCEL}"),
    Family("svr_accel", "scalars", SvrSettings(), f"{SVR} for {ACCEL}"),
    Family("svr_nu_accel", "scalars", NuSvrSettings(), f"{NU_SVR} for {ACCEL}"),
)


def family(name: str) -> Family:
    """The family of a name; FitError listing those that there are."""
    if not isinstance(name, str) or name not in FAMILIES:
        raise FitError(unknown("model", name, FAMILIES))
    return FAMILIES[name]
