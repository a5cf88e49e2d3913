"""What `methods` and `weak` may say beyond one name: compositions, grids, joins, simulations; and what they may not."""

from __future__ import annotations

from typing import Any

import pytest

from outgrow.core.errors import UsageError
from outgrow.core.text.entry_names import display
from outgrow.core.validation import Problems
from outgrow.experiment.spec.method_entries import method_spec
from outgrow.experiment.spec.model_entries import model_spec
from outgrow.experiment.spec.schema import Experiment
from outgrow.methods.labels import Filter, Harden
from outgrow.methods.losses import Confidence, Entropy, Naive
from outgrow.methods.procedures import SelfTrain


def asked(**changes: Any) -> Experiment:
    return Experiment(
        **{
            "name": "x",
            "tasks": ["sentiment"],
            "weak": ["static:wordllama"],
            "strong": ["static:wordllama"],
            "split": {"weak_train": 100, "transfer": 100, "validation": 50, "test": 100},
            **changes,
        }
    )


def sentences(written: Any) -> list[str]:
    with pytest.raises(Problems) as caught:
        method_spec(written)
    return list(caught.value.sentences)


def test_a_list_composes_in_any_order() -> None:
    spec = method_spec([{"self_train": {"rounds": 2}}, "entropy", "harden"])
    assert (spec.parts.labels, spec.parts.loss, spec.parts.procedure) == (Harden(), Entropy(), SelfTrain(rounds=2))
    assert spec.identity == method_spec(["harden", {"self_train": {"rounds": 2}}, "entropy"]).identity
    assert spec.name == "self_train rounds=2 + entropy + harden"
    assert method_spec("harden").identity == method_spec(["harden", "naive"]).identity
    assert method_spec("naive").loss == [{"member": {"name": "naive"}, "options": {}}]


@pytest.mark.parametrize("name", ["harden", "balance", "filter", "relabel", "self_train", "early_stop"])
def test_a_loss_that_nobody_names_is_the_one_that_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Naive, "model_dump", lambda self, **_: {"hard": self.hard, "another": 1})  # an option more
    assert method_spec(name).identity == method_spec([name, "naive"]).identity
    assert method_spec(name).loss == method_spec("naive").loss


def test_methods_say_what_they_stop_on_and_whether_they_know_the_truth() -> None:
    assert [method_spec({"early_stop": {"on": on}}).stops_on for on in ("weak", "truth")] == ["weak", "truth"]
    assert method_spec({"early_stop": {"on": "truth"}}).knows_truth
    assert method_spec({"confidence": {"alpha": [0.2, 0.5], "select_on": "truth"}}).knows_truth
    assert method_spec({"early_stop": {"on": ["weak", "truth"]}}).knows_truth
    for name in ("naive", "confidence", "early_stop", "self_train", "filter"):
        assert not method_spec(name).knows_truth
    assert method_spec("naive").stops_on is None


def test_a_method_adapts_to_the_shares_of_the_classes_where_nothing_else_is_said() -> None:
    assert Confidence(alpha=0.3).for_task([1, 3]) == Confidence(alpha=0.3, prior=(0.25, 0.75))
    given = Confidence(prior=(0.4, 0.6))
    assert given.for_task([0.25, 0.75]) is given
    assert Confidence(prior="balanced").for_task([0.25, 0.75]) == Confidence(prior="balanced")
    assert Confidence().for_task([0.2, 0.3, 0.5]) == Confidence(prior=(0.2, 0.3, 0.5))
    spec = method_spec(["filter", "confidence"]).for_task([0.25, 0.75])
    assert spec.identity == method_spec(["filter", {"confidence": {"prior": [0.25, 0.75]}}]).identity
    assert method_spec("filter").for_task([0.25, 0.75]).identity == method_spec("filter").identity


def test_a_list_of_values_is_a_grid_where_the_option_is_no_list() -> None:
    spec = method_spec({"confidence": {"alpha": [0.25, 0.75], "warmup": [0, 0.2]}})
    assert [one.method for one in spec.candidates] == [
        Confidence(alpha=a, warmup=w) for a in (0.25, 0.75) for w in (0, 0.2)
    ]
    assert [one.name for one in spec.candidates][:2] == [
        "confidence alpha=0.25 warmup=0",
        "confidence alpha=0.25 warmup=0.2",
    ]
    assert spec.select_on == "weak"
    assert not method_spec({"confidence": {"prior": [0.3, 0.7]}}).candidates  # a list that is one value
    priors = method_spec({"confidence": {"prior": [[0.3, 0.7], [0.5, 0.5], "balanced"]}})
    assert [one.method for one in priors.candidates] == [
        Confidence(prior=p) for p in ((0.3, 0.7), (0.5, 0.5), "balanced")
    ]
    joined = method_spec([{"filter": {"keep": [0.3, 0.6]}}, {"confidence": {"alpha": [0.2, 0.5]}}])
    assert [(one.parts.labels, one.method.alpha) for one in joined.candidates] == [
        (Filter(keep=keep), alpha) for keep in (0.3, 0.6) for alpha in (0.2, 0.5)
    ]
    assert [one.method for one in method_spec({"naive": {"hard": [False, True]}}).candidates] == [
        Naive(),
        Naive(hard=True),
    ]


def test_an_oracle_is_marked_wherever_its_name_stands() -> None:
    assert display({"early_stop": {"on": "truth"}}) == "early_stop on=truth (oracle)"
    grid = {"confidence": {"alpha": [0.2, 0.5], "select_on": "truth"}}
    assert method_spec(grid).select_on == "truth"
    assert display(["harden", grid]) == "harden + confidence alpha=[0.2,0.5] select_on=truth (oracle)"
    assert "oracle" not in display({"early_stop": {"on": "weak"}})
    assert "oracle" not in display({"given": "crowd.csv", "on": "truth"})  # an id column


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (["naive", "entropy"], "naive and entropy each bring a loss of their own, and a student learns by one"),
        (["harden", "balance", "naive"], "harden and balance each bring labels of their own"),
        (["self_train", "early_stop"], "selftrain and earlystop each bring a procedure of their own"),
        ({"bootstrap": {}}, 'bootstrap: "through" is missing'),
        ({"bootstrap": {"through": []}}, "bootstrapping through nothing is naive"),
        ({"bootstrap": {"through": ["probee:minilm"]}}, 'unknown model kind "probee"; did you mean "probe"'),
        ({"bootstrap": {"through": [{"static": "wordllama", "rows": 10}]}}, "`rows` is for supervisors"),
        ({"bootstrap": {"through": ["given:crowd.csv"]}}, "`given` labels can supervise but not learn"),
        ({"self_train": {"rounds": 0}}, "rounds: should be greater than or equal to 1"),
        ({"window": {"radius": 0}}, "leaves no window"),
        ({"early_stop": {"on": "test"}}, "on: "),
        ({"confidence": {"alpha": 0.5, "select_on": "truth"}}, "no option here is a list"),
        ({"confidence": {"alpha": [0.2, 0.5], "select_on": "test"}}, "select_on: is weak or truth (an oracle)"),
        ({"confidence": {"alpha": [0.2, 0.2]}}, "alpha: a value is listed twice"),
        ({"confidence": {"alpha": [0.2, 2.0]}}, "alpha: should be less than or equal to 1"),
        ({"confidence": {"alhpa": [0.2, 0.4]}}, 'unknown option "alhpa"; did you mean "alpha"?'),
        (
            [{"filter": {"keep": [0.3, 0.6], "select_on": "truth"}}, {"confidence": {"alpha": [0.2, 0.5]}}],
            "judged by weak labels and another by the truth",
        ),
        ({"product": {"alpha": [n / 20 for n in range(20)], "beta": [1, 2, 3, 4, 5, 6]}}, "120 combinations"),
    ],
)  # fmt: skip
def test_bad_uses_have_their_sentence(written: Any, sentence: str) -> None:
    assert any(sentence in text for text in sentences(written)), sentences(written)


@pytest.mark.parametrize(
    ("weak", "sentence"),
    [
        ([["static:wordllama"]], "one supervisor is nothing to join"),
        ([["static:wordllama", {"static": "wordllama"}]], "static:wordllama is listed twice: it would vote twice"),
        ([{"join": ["static:wordllama", "static:potion"], "how": "mean"}], 'unknown option "how"'),
        ([{"join": ["static:wordllama", "given:nowhere.csv"]}], "there is no such file"),
        ([{"simulate": {"errors": "random"}}], '"accuracy" is missing'),
        ([{"simulate": {"accuracy": 0.8, "errors": "hard"}}], "needs `by`"),
        ([{"simulate": {"accuracy": 0.8, "errors": "hard", "by": "statc:wordllama"}}], 'unknown model kind "statc"'),
    ],
)
def test_supervisors_that_are_none_have_their_sentence(weak: Any, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(weak=weak)
    assert sentence in str(caught.value)


def test_joins_and_simulations_only_supervise() -> None:
    for entry in (["static:wordllama", "static:potion"], {"simulate": {"accuracy": 0.8}}):
        with pytest.raises(UsageError, match="can supervise but not learn"):
            asked(strong=[entry])


def test_what_needs_other_rows_says_so() -> None:
    without = {"weak_train": 100, "transfer": 100, "test": 100}
    for method, why in (
        ({"confidence": {"alpha": [0.2, 0.5]}}, "chooses there"),
        ("early_stop", "stops early by them"),
    ):
        with pytest.raises(UsageError, match=f"`validation` is missing: .* {why}"):
            asked(methods=[method], split=without)
    untaught = {"transfer": 100, "test": 100}
    asked(weak=[{"simulate": {"accuracy": 0.8}}], split=untaught)  # nobody is trained
    judged = {"simulate": {"accuracy": 0.8, "errors": "hard", "by": "static:wordllama"}}
    with pytest.raises(UsageError, match="`weak_train` is missing: static:wordllama learns from those rows"):
        asked(weak=[judged], split=untaught)


def test_names_tell_everything() -> None:
    join = {"join": ["static:wordllama", {"static": "wordllama", "rows": 10}], "by": "majority"}
    assert model_spec(join, student=False).name == "static:wordllama + static:wordllama rows=10 by=majority"
    simulated = {"simulate": {"accuracy": 0.8, "errors": "hard", "by": "static:wordllama"}}
    assert model_spec(simulated, student=False).name == "simulate accuracy=0.8 errors=hard by=static:wordllama"
    chain = {"bootstrap": {"through": ["static:wordllama", {"probe": "minilm", "l2": 0.1}]}}
    assert method_spec(chain).name == "bootstrap through=[static:wordllama, probe:minilm l2=0.1]"


def test_an_experiment_reads_back_what_it_wrote(tmp_path: Any) -> None:
    experiment = asked(
        weak=[["static:wordllama", {"static": "wordllama", "rows": 10}], {"simulate": {"accuracy": 0.8}}],
        methods=[["harden", {"bootstrap": {"through": ["static:wordllama"]}}], {"confidence": {"alpha": [0.2, 0.5]}}],
    )
    (tmp_path / "x.yaml").write_text(experiment.to_yaml())
    again = Experiment.read(tmp_path / "x.yaml")
    assert [spec.identity for spec in again.methods] == [spec.identity for spec in experiment.methods]
    assert [spec.identity for spec in again.weak] == [spec.identity for spec in experiment.weak]
