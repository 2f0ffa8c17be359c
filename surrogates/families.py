"""The registry of model families: their targets, codecs and settings.

The names are those of EA-HAS-Bench, NAS-Bench-X11, NAS-Bench-301 and Accel-NASBench. The loss of a
`_STAR` family is the error of the decoded curve. A `_hpo` family is the same combination with tuned
settings. An `_accel` family predicts the costs of networks on accelerators.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from eahas.errors import FitError, unknown
from eahas.models.ensemble import Ensemble
from eahas.spec.spec import Spec
from eahas.spec.targets import Target
from surrogates.data.dataset import Runs
from surrogates.models.codec_ensembles import fit_curve_codes, fit_scalar_codes
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
# For one number per run, smaller trees and four members are enough.
XGB_ONE = XgbSettings(members=4, rounds=500, learning_rate=0.09, max_depth=4, colsample_bytree=0.5)
LGB_ONE = LgbSettings(members=4, rounds=800, learning_rate=0.06, num_leaves=8, feature_fraction=0.6)
Settings = FitSettings | CodeSettings
EITHER = "either"


@dataclass(frozen=True)
class Family:
    """A kind of surrogate: a combination of targets, a codec and a regressor.

    Attributes:
        name: the name of the family.
        targets: "curves", "scalars", or "either", which means the curves of a spec, and the scalars
            of a spec without curves.
        defaults: the default settings; their type selects the regressor.
        about: a description for people.
        codec: the codec of curves.
        tuned: whether the package contains a file of tuned settings.
    """

    name: str
    targets: str
    defaults: Settings
    about: str
    codec: str = ""
    tuned: bool = False

    @property
    def settings(self) -> Settings:
        """The tuned settings if there are any; otherwise the defaults."""
        return configured(self.defaults, shipped(self.name)) if self.tuned else self.defaults

    @property
    def setting_names(self) -> frozenset[str]:
        """The names of the settings that affect a fit of this family."""
        names = {field.name for field in fields(self.defaults)}
        if self.codec != "bezier":
            names -= {"degree"}
        if not self.codec:
            names -= {"positions", "last_epoch_weight"}
        return frozenset(names)

    def kind(self, spec: Spec) -> str:
        """The kind of targets that it predicts for this spec: "curves" or "scalars"."""
        if self.targets != EITHER:
            return self.targets
        return "curves" if spec.curves else "scalars"

    def targets_of(self, spec: Spec) -> tuple[Target, ...]:
        """The targets of this spec that it predicts.

        Raises:
            FitError: there is no such target.
        """
        targets: tuple[Target, ...] = getattr(spec, self.kind(spec))
        if not targets:
            raise FitError(f"model {self.name} fits {self.kind(spec)}; {spec.name} has none")
        return targets

    def fit(
        self, runs: Runs, settings: Settings | None = None, progress: Progress | None = None
    ) -> Ensemble:
        """Fit an uncalibrated ensemble to these runs.

        Raises:
            FitError: the spec has no target for this family, or the fit fails.
        """
        self.targets_of(runs.spec)
        with one_thread():
            fitted = self._fit(runs, self.settings if settings is None else settings, progress)
        return replace(fitted, manifest={**fitted.manifest, "family": self.name})

    def _fit(self, runs: Runs, settings: Settings, progress: Progress | None) -> Ensemble:
        curves = self.kind(runs.spec) == "curves"
        if isinstance(settings, FitSettings):
            if curves:
                return fit_curves(runs, settings, progress, codec=self.codec)
            return fit_scalars(runs, settings, progress)
        if curves:
            return fit_curve_codes(runs, settings, progress, codec=self.codec)
        return fit_scalar_codes(runs, settings, progress)


BEZIER, GRID, SVD = "Bezier control points", "values on a grid", "SVD coefficients of the curves"
VAE = "codes of a variational autoencoder"
LAST = "the last epoch, or scalars; before the last epoch only a shifted mean curve"
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
    Family("svd_nn", "curves", CODES, f"{NETWORKS} for {SVD}, loss on the coefficients", "svd"),
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
    """The family with this name.

    Raises:
        FitError: the name is unknown; the message lists the known ones.
    """
    if not isinstance(name, str) or name not in FAMILIES:
        raise FitError(unknown("model", name, FAMILIES))
    return FAMILIES[name]
