"""Tables of predictions with errors of a known size."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest


def predictions_of(count: int = 500, seed: int = 0, noise: float = 6.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth, gender = rng.integers(1, 90, count), rng.integers(0, 2, count)
    return pd.DataFrame(
        {
            "file": [f"{number}.jpg" for number in range(count)],
            "cluster": np.arange(count) // 2,
            "race": rng.integers(0, 5, count),
            "age_true": truth,
            "age": truth + rng.normal(0, noise, count),
            "gender_true": gender,
            "probability_female": np.clip(gender * 0.6 + 0.2 + rng.normal(0, 0.3, count), 0, 1),
        }
    )


@pytest.fixture(scope="session")
def predictions() -> Callable[..., pd.DataFrame]:
    """Makes a table of predictions: `predictions(count, seed, noise)`; two faces are a cluster."""
    return predictions_of
