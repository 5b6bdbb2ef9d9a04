"""Random data sets and what scipy, and Evidently where it can be imported, says of them: one line of JSON.

python3 statistics-peer.py SEED
"""

import json
import math
import sys
import warnings

import numpy as np
from scipy import stats
from scipy.spatial import distance

warnings.simplefilter("ignore")
random = np.random.default_rng(int(sys.argv[1]))


def encode(value):
    if isinstance(value, dict):
        return {key: encode(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [encode(inner) for inner in value]
    if value is None or isinstance(value, str):
        return value
    number = float(value)
    return number if math.isfinite(number) else str(number)


def column(rows):
    """One of many shapes: ties, constants, missing values, heavy tails, huge and tiny numbers."""
    shape = random.integers(0, 8)
    if shape == 0:
        return random.integers(0, random.integers(1, 12), rows).astype(float)
    if shape == 1:
        return np.full(rows, float(random.integers(-3, 3)))
    if shape == 2:
        return random.standard_cauchy(rows)
    if shape == 3:
        return random.normal(0, 10.0 ** random.integers(-200, 200), rows)
    if shape == 4:
        return np.round(random.lognormal(0, 1, rows), 1)
    values = random.normal(random.normal(), random.uniform(0.5, 2), rows)
    if shape == 5:
        values[random.random(rows) < 0.3] = math.nan
    return values


def pair():
    baseline, current = column(random.integers(1, 400)), None
    rows = random.integers(1, 400)
    current = column(rows) if random.random() < 0.5 else random.choice(baseline, rows) * random.choice([1, 1, 1.5])
    return baseline, current


def sample():
    baseline, current = pair()
    a, b = baseline[~np.isnan(baseline)], current[~np.isnan(current)]
    if len(a) == 0 or len(b) == 0:
        return {"baseline": baseline, "current": current, "expected": None}
    test = stats.ks_2samp(a, b, method="exact")
    return {
        "baseline": baseline,
        "current": current,
        "expected": {"statistic": test.statistic, "pValue": test.pvalue, "wasserstein": stats.wasserstein_distance(a, b)},
    }


def table():
    cells = random.integers(2, 60)
    baseline = random.integers(0, 10 ** random.integers(1, 7), cells)
    current = random.integers(0, 10 ** random.integers(1, 7), cells) * (random.random(cells) < 0.9)
    both = np.array([baseline, current])
    both = both[:, both.sum(axis=0) > 0]
    test = stats.chi2_contingency(both, correction=False)
    return {
        "baseline": baseline,
        "current": current,
        "statistic": test[0],
        "pValue": test[1],
        "jensenShannon": distance.jensenshannon(baseline, current, 2),
    }


def shares():
    of, rows = int(random.integers(1, 10**6)), int(random.integers(1, 10**6))
    hits, before = int(random.binomial(of, random.random() ** 4)), int(random.binomial(rows, random.random() ** 4))
    return {
        "counts": [hits, of, before, rows],
        "pValue": stats.hypergeom.sf(hits - 1, of + rows, hits + before, of),
        "low": stats.beta.ppf(0.025, hits, of - hits + 1) if hits > 0 else 0,
        "high": stats.beta.ppf(0.975, hits + 1, of - hits) if hits < of else 1,
    }


def evidently():
    """Its own distances of categories, and its normed Wasserstein distance; None where it is not installed."""
    try:
        import pandas as pd
        from evidently.legacy.calculations.stattests.jensenshannon import _jensenshannon
        from evidently.legacy.calculations.stattests.psi import _psi
        from evidently.legacy.calculations.stattests.wasserstein_distance_norm import _wasserstein_distance_norm
        from evidently.legacy.core import ColumnType
    except ImportError:
        return None
    cases = []
    for _ in range(10):
        names = np.array(["a", "b", "c", "d", "e"])
        a, b = (random.choice(names, 500, p=random.dirichlet(np.full(5, 5.0))) for _ in range(2))
        before, now = pd.Series(a), pd.Series(b)
        numbers = random.normal(1, 2, 400), random.normal(1.5, 2, 300)
        cases.append(
            {
                "baseline": [int((a == name).sum()) for name in names],
                "current": [int((b == name).sum()) for name in names],
                "psi": _psi(before, now, ColumnType.Categorical, 0.1)[0],
                "jensenShannon": _jensenshannon(before, now, ColumnType.Categorical, 0.1)[0],
                "numbers": numbers,
                "wasserstein": _wasserstein_distance_norm(
                    pd.Series(numbers[0]), pd.Series(numbers[1]), ColumnType.Numerical, 0.1
                )[0],
            }
        )
    return cases


print(
    json.dumps(
        encode(
            {
                "samples": [sample() for _ in range(120)],
                "tables": [table() for _ in range(60)],
                "shares": [shares() for _ in range(60)],
                "evidently": evidently(),
            }
        )
    )
)
