"""How far to trust a prediction: age intervals with a promised coverage, and gender probabilities that mean it.

Both are fitted on the calibration faces, which neither trained the network nor stopped its training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

COVERAGE = 0.9
TAIL = 0.1  # left out on either side by the quantiles that a `FaceInterval` starts from; chosen on validation
EDGE = 1e-6


@dataclass(frozen=True)
class AgeInterval:
    """A split-conformal interval: the prediction plus and minus `half_width` years.

    Under exchangeability it covers at least the promised share of new faces (Vovk et al., "Algorithmic Learning in
    a Random World", 2005; Lei et al., JASA 2018), over all faces and not within each group.
    """

    half_width: float

    @classmethod
    def fit(cls, calibration: pd.DataFrame, coverage: float = COVERAGE) -> AgeInterval:
        """Takes the conformal quantile of the absolute errors on the calibration faces.

        The `coverage` is above 0 and below 1; if there are too few faces to promise it, the width is infinite.
        """
        errors = (calibration["age"] - calibration["age_true"]).abs().to_numpy()
        return cls(_conformal_quantile(errors, coverage))

    def covered(self, predictions: pd.DataFrame) -> pd.Series:
        """Whether each true age lies in its interval."""
        return (predictions["age"] - predictions["age_true"]).abs() <= self.half_width


@dataclass(frozen=True)
class FaceInterval:
    """An interval of each face's own width, from its age distribution: conformalised quantiles.

    After Romano et al., "Conformalized Quantile Regression", NeurIPS 2019. It covers the promised share as an
    `AgeInterval` does. The distribution has learnt which ages are frequent among training faces, and leans towards
    them; with half of that taken out before the quantiles are read, teenagers and the old are covered better.

    Attributes:
        prior: the share of each year among the training faces, as `model.age.prior` gives it.
        stretch: by how much of the distance between the quantiles both ends are moved outwards.
    """

    prior: Sequence[float]
    stretch: float

    @classmethod
    def fit(cls, shares: np.ndarray, ages: np.ndarray, prior: Sequence[float]) -> FaceInterval:
        """Takes the conformal quantile of how far labels lie outside the quantiles, in the quantiles' distance.

        Of the calibration faces it needs the distributions `[n, 117]` and the labels in years `[n]`.
        """
        low, high = cls(prior, 0.0).ends(shares)
        return cls(prior, _conformal_quantile(np.maximum(low - ages, ages - high) / (high - low), COVERAGE))

    def ends(self, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both ends in years, `[n]` each, for distributions `[n, 117]`."""
        from ..model.age import quantile

        even = np.maximum(shares, 1e-12).astype(np.float64) / np.sqrt(self.prior)
        low, high = (np.asarray(quantile(even, level)) for level in (TAIL, 1 - TAIL))
        reach = self.stretch * (high - low)
        return low - reach, high + reach


def _conformal_quantile(scores: np.ndarray, coverage: float) -> float:
    """The smallest number that the promised share of new scores does not exceed; infinite if there are too few."""
    return float(np.quantile(np.append(scores, np.inf), coverage, method="inverted_cdf"))


@dataclass(frozen=True)
class GenderCalibration:
    """Temperature scaling: the log-odds of the predicted probability times one number (Guo et al., ICML 2017).

    A number below one makes the network less sure of itself. No probability crosses one half, so that who is called
    female does not change.
    """

    slope: float

    @classmethod
    def fit(cls, calibration: pd.DataFrame) -> GenderCalibration:
        """Fits the number on the calibration faces; one if they are of one gender or contradict the network."""
        from sklearn.linear_model import LogisticRegression

        truth = calibration["gender_true"]
        if truth.nunique() < 2:
            return cls(1.0)
        odds = _log_odds(calibration["probability_female"].to_numpy())[:, None]
        model = LogisticRegression(C=10.0, fit_intercept=False).fit(odds, truth)
        return cls(slope if (slope := float(model.coef_[0, 0])) > 0 else 1.0)

    def probability(self, predicted: np.ndarray | pd.Series) -> np.ndarray | pd.Series:
        """Calibrated probabilities of code 1, of the kind of what was given."""
        return 1 / (1 + np.exp(-self.slope * _log_odds(predicted)))


def calibration_error(probabilities: pd.Series, truth: pd.Series, bins: int = 10) -> float:
    """Expected calibration error: how far mean probability and share of code 1 lie apart (Guo et al., ICML 2017).

    They are compared within bins of equal width, each weighted by its faces.
    """
    bin_of = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = (probabilities - truth).groupby(bin_of).sum()  # of a bin's means, times its faces
    return float(gaps.abs().sum() / len(truth))


def _log_odds(probabilities: np.ndarray | pd.Series) -> np.ndarray | pd.Series:
    clipped = np.clip(probabilities.astype(np.float64), EDGE, 1 - EDGE)
    return np.log(clipped / (1 - clipped))
