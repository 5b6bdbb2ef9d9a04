/**
 * Which of many hypotheses to reject, given evidence (e-values) for each: the `k` largest where `k` is the greatest
 * number for which the `k`-th largest evidence is at least `K / (alpha k)`. At one look the expected share of false
 * ones among the rejected is at most `alpha` under any dependence between them (Wang & Ramdas, arXiv 2009.02824); when
 * nothing is wrong at all, that share is 1 as soon as anything is rejected, so `alpha` bounds the chance of any.
 *
 * Over all looks together the bound holds as it stands when the tests can share one history, as those of independent
 * columns do. For tests that know more of one another than of themselves it grows by at most the factor
 * `1 + 1/2 + ... + 1/K` (Benjamini & Yekutieli 2001 on `1 / the largest evidence so far`); how far the calibration comes
 * to that with dependent columns is in its report.
 */
export interface EvidenceRejection {
  /** Indexes into the evidence, the strongest first. */
  rejected: number[];
  /** The evidence that a hypothesis needed: `K / (alpha k)`; with nothing rejected the bar for the first one. */
  threshold: number;
}

export function eBenjaminiHochberg(evidence: readonly number[], alpha: number): EvidenceRejection {
  const order = evidence.map((_, at) => at).sort((a, b) => (evidence[b] ?? 0) - (evidence[a] ?? 0));
  for (let k = order.length; k >= 1; k -= 1) {
    const threshold = order.length / (alpha * k);
    if ((evidence[order[k - 1] ?? 0] ?? 0) >= threshold) return { rejected: order.slice(0, k), threshold };
  }
  return { rejected: [], threshold: order.length / alpha };
}

/**
 * The evidence of one hypothesis from several hosts that each tested their own part of the stream: the largest divided
 * by the number of hosts. The union bound makes that valid at every look. The mean, which is larger by at most the same
 * factor, is valid at a fixed time only: a host's test is a fair game against its own past, not against what the other
 * hosts have meanwhile seen of the same source. `hosts` must not shrink while the tests go on; 1 without any.
 */
export function evidenceOfHosts(evidence: readonly number[]): number {
  return evidence.length === 0 ? 1 : Math.max(...evidence) / evidence.length;
}
