"""The distances of bench/drift.ts by scipy: KS with its chance, Wasserstein, PSI and Jensen-Shannon over 20 parts.

python3 drift.py FOLDER COLUMNS: reads FOLDER/N-baseline.f64 and N-current.f64, writes one line of JSON.
"""

import json
import math
import sys
import time

import numpy as np
import scipy
from scipy import stats
from scipy.spatial import distance

PARTS = 20


def measure(baseline, current):
    test = stats.ks_2samp(baseline, current)
    area = stats.wasserstein_distance(baseline, current)
    places = [math.ceil(part * len(baseline) / PARTS) - 1 for part in range(1, PARTS)]
    edges = np.partition(baseline, places)[places]
    before = np.bincount(np.searchsorted(edges, baseline, side="left"), minlength=PARTS) / len(baseline)
    now = np.bincount(np.searchsorted(edges, current, side="left"), minlength=PARTS) / len(current)
    return {
        "kolmogorovSmirnov": float(test.statistic),
        "wasserstein": float(area),
        "populationStability": float(np.sum((now - before) * np.log(now / before))),
        "jensenShannon": float(distance.jensenshannon(before, now, 2)),
    }


folder, columns = sys.argv[1], int(sys.argv[2])
seconds = 0.0
distances = []
for column in range(columns):
    baseline = np.fromfile(f"{folder}/{column}-baseline.f64")
    current = np.fromfile(f"{folder}/{column}-current.f64")
    start = time.process_time()
    distances.append(measure(baseline, current))
    seconds += time.process_time() - start
print(json.dumps({"scipy": scipy.__version__, "seconds": seconds, "distances": distances}))
