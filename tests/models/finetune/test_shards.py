"""A model in shards over two processes (gloo, on CPUs) learns what one process with the whole of it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from in_processes import CASES, by

from outgrow.models.finetune.batches import shared_out


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each case gives by one process and by two."""
    folder = tmp_path_factory.mktemp("shards")
    return by(1, folder), by(2, folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_two_processes_learn_what_one_learns(name: str, trained: tuple[dict[str, Any], dict[str, Any]]) -> None:
    one, two = (of[name] for of in trained)
    close = {"atol": 1e-3} if name == "lora" else {"atol": 1e-6}  # in bfloat16 the order of sums is seen
    assert len(two["losses"]) == len(one["losses"]) > 5
    for what in ("losses", "ended", "left"):
        np.testing.assert_allclose(two[what], one[what], **close, err_msg=what)
    assert two["taken_at"] == one["taken_at"]
    assert [point["test_accuracy"] for point in two["curve"]] == [point["test_accuracy"] for point in one["curve"]]


@pytest.mark.slow
def test_the_smallest_loss_was_before_the_end(trained: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert trained[1]["stops"]["taken_at"] < 1


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_process_holds_a_part_and_the_gathered_model_is_whole(
    name: str, trained: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    (all_of_it, _), (held, gathered) = (of[name]["held"] for of in trained)
    assert gathered == all_of_it
    assert all_of_it / 2 <= held < all_of_it * 0.65  # rows of a weight are not divided: of tiny ones one has more


@pytest.mark.slow
def test_a_stopped_training_goes_on_to_the_same_bits(trained: tuple[dict[str, Any], dict[str, Any]]) -> None:
    found = trained[1]["stopped"]
    assert found["steps"][0] == 11, "ten steps were there"
    assert found["again"] == found["whole"]
    assert found["afresh"][0] == 1, "the state of one process without the other's is nothing"


@given(
    some.lists(some.integers(1, 60), min_size=1, max_size=40),
    some.integers(1, 100),
    some.floats(0, 50),
    some.integers(1, 7),
)
def test_processes_share_a_batch(lengths: list[int], budget: int, overhead: float, processes: int) -> None:
    shares = [shared_out(np.array(lengths), budget, overhead, rank, processes) for rank in range(processes)]
    counted = [row for parts, count in shares for part in parts[:count] for row in part.tolist()]
    assert sorted(counted) == list(range(len(lengths)))
    assert len({len(parts) for parts, _ in shares}) == 1  # each waits for the others in every pass
    assert all(len(part) for parts, _ in shares for part in parts)
    rows = [sum(len(part) for part in parts[:count]) for parts, count in shares]
    assert max(rows) - min(rows) <= 1
