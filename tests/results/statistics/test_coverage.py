"""How often intervals hold the truth, in simulated experiments whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from measured import benchmark
from recovered import recover

probit = benchmark("coverage")
KEYS = ("weak_accuracy", "student_accuracy", "ceiling_accuracy", "pgr")


def truths(accuracies: tuple[float, float, float]) -> dict[str, float]:
    weak, student, ceiling = accuracies
    return dict(zip(KEYS, (*accuracies, (student - weak) / (ceiling - weak)), strict=True))


@pytest.mark.parametrize("accuracies", [(0.6, 0.7, 0.8), (0.85, 0.9, 0.93)])
def test_the_simulation_has_the_accuracies_it_claims(accuracies: tuple[float, float, float]) -> None:
    means = [scores.mean(axis=(1, 2)) for scores in probit.experiments(accuracies, 10, seed=1)]
    assert np.mean(means, axis=0) == pytest.approx(accuracies, abs=0.003)


@pytest.mark.slow
@pytest.mark.parametrize("n_seeds", probit.SEEDS)
def test_intervals_hold_the_truth_as_often_as_they_say(n_seeds: int) -> None:
    crossed_pgr, seeds_only_pgr = [], []
    for accuracies in probit.SETTINGS:
        simulated = list(probit.experiments(accuracies, n_seeds, seed=0))
        found = [recover(scores) for scores in simulated]
        crossed = {
            key: probit.coverage([probit.ends(result[key]) for result in found], truth)
            for key, truth in truths(accuracies).items()
        }
        for key, result in crossed.items():
            # 400 experiments know a share of .95 to .011.
            assert (0.92 if n_seeds >= 5 else 0.90) <= result.held <= 0.985, (accuracies, key, result)
            assert result.undefined <= 0.1, (accuracies, key, result)
        crossed_pgr.append(crossed["pgr"].held)
        random = np.random.default_rng(0)
        seeds_only = [probit.seeds_only(scores, random) for scores in simulated]
        seeds_only_pgr.append(probit.coverage(seeds_only, truths(accuracies)["pgr"]).held)
    assert np.mean(seeds_only_pgr) < np.mean(crossed_pgr)
    if n_seeds == 10:  # clearly, in every setting
        assert max(seeds_only_pgr) < 0.90 < min(crossed_pgr)
        assert np.mean(seeds_only_pgr) < np.mean(crossed_pgr) - 0.06


def test_rows_that_belong_together_need_groups() -> None:
    accuracies, sizes = (0.6, 0.7, 0.8), np.tile(np.arange(1, 8), 36)  # 252 groups of 1 to 7 rows
    groups = np.repeat(np.arange(len(sizes)), sizes)
    simulated = list(probit.experiments(accuracies, 5, 0, n_examples=len(groups), group_sizes=sizes))
    grouped = [recover(scores, groups) for scores in simulated]
    ungrouped = [recover(scores) for scores in simulated]
    for key, truth in truths(accuracies).items():
        right, wrong = (probit.coverage([probit.ends(r[key]) for r in found], truth) for found in (grouped, ungrouped))
        assert 0.93 <= right.held <= 0.985, (key, right)
        assert wrong.held < 0.88, (key, wrong)
