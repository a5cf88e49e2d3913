"""The scikit-learn estimator: scikit-learn's own checks, and what they do not ask."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data
from taught import head

from outgrow import UsageError, WeakToStrongClassifier
from outgrow.methods.losses import Confidence
from outgrow.tasks.sentiment import sentiment
from outgrow.teaching.options import student_spec

pytestmark = pytest.mark.usefixtures("one_thread")

BINS = np.linspace(-3, 3, 12)  # numbers are cut into 13 words
WORDS = len(BINS) + 1


@pytest.fixture(scope="session", autouse=True)
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Static embeddings of the words that numbers are written as: near numbers have near vectors."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("words")
    names = ["?"] + [f"f{feature}b{place}" for feature in range(20) for place in range(WORDS)]
    tokenizer = Tokenizer(models.WordLevel({name: place for place, name in enumerate(names)}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    table = np.zeros((len(names), 20 * WORDS), dtype=np.float32)
    near = np.exp(-np.square(np.arange(WORDS)[:, None] - np.arange(WORDS)) / 2).astype(np.float32)
    for feature in range(20):
        span = slice(feature * WORDS, (feature + 1) * WORDS)
        table[1 + feature * WORDS : 1 + (feature + 1) * WORDS, span] = near
    save_file({"embeddings": table}, folder / "model.safetensors")
    OnNumbers.folder = str(folder)
    return str(folder)


class OnNumbers(WeakToStrongClassifier):
    """Rows of numbers, written as texts: scikit-learn's checks have no others. Everything else is the estimator's own."""

    folder = ""

    def _told(self, x: Any, reset: bool) -> list[str]:
        numbers = validate_data(self, x, reset=reset)
        places = np.digitize(numbers, BINS)
        return [" ".join(f"f{f}b{b}" for f, b in enumerate(row.tolist())) for row in places]

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> "OnNumbers":
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        texts = self._told(x, reset=True)
        self.student, kept = {"static": self.folder, "l2": 1e-4}, self.student
        try:
            super().fit(texts, y, sample_weight)
        finally:
            self.student = kept
        return self

    def predict_proba(self, x: Any) -> Any:
        check_is_fitted(self)
        return super().predict_proba(x if _are_texts(x) else self._told(x, reset=False))

    def predict(self, x: Any) -> Any:
        check_is_fitted(self)
        return super().predict(self._told(x, reset=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.string = False
        return tags


def _are_texts(x: Any) -> bool:
    return isinstance(x, list) and bool(x) and isinstance(x[0], str)


EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "asks for equality to 1e-7, and float32 sums in another order",
}


@parametrize_with_checks([OnNumbers(method="naive")], expected_failed_checks=lambda estimator: EXPECTED)
def test_scikit_learns_own_checks(estimator: OnNumbers, check: Any) -> None:
    check(estimator)


STUDENT = "static:wordllama"


@pytest.fixture(scope="module")
def reviews() -> tuple[list[str], np.ndarray]:
    """400 sentences and their classes, by name."""
    task = sentiment()
    order = np.random.default_rng(0).permutation(len(task.inputs))[:400]
    return [task.inputs[place] for place in order], np.array(["bad", "good"])[[int(task.labels[p]) for p in order]]


Reviews = tuple[list[str], np.ndarray]


def test_is_the_head_that_outgrow_run_solves(reviews: Reviews) -> None:
    texts, labels = reviews
    made = WeakToStrongClassifier(STUDENT, method={"confidence": {"alpha": 0.7}}, l2=0.01, seed=3).fit(texts, labels)
    targets = np.eye(2, dtype=np.float32)[(labels == "good").astype(int)]
    share = float((labels == "good").mean())
    method = Confidence(alpha=0.7, prior=(1 - share, share))
    alone = head(student_spec(STUDENT), texts, targets, method, 0.01, 3, texts)

    assert made.classes_.tolist() == ["bad", "good"]
    np.testing.assert_allclose(made.predict_proba(texts), alone, atol=1e-5)  # sums of float32 in another order of rows
    assert made.score(texts, labels) == (made.predict(texts) == labels).mean()


@pytest.mark.slow
def test_cross_validation_pipeline_and_grid(reviews: Reviews) -> None:
    texts, labels = reviews
    lower = FunctionTransformer(lambda rows: [text.lower() for text in rows])
    scores = cross_val_score(make_pipeline(lower, WeakToStrongClassifier(STUDENT)), texts, labels, cv=3)
    assert len(scores) == 3
    assert scores.min() > 0.6

    grid = GridSearchCV(WeakToStrongClassifier(STUDENT), {"method": ["naive", "confidence"], "l2": [0.3, 0.003]}, cv=3)
    grid.fit(texts, labels)
    assert grid.best_score_ == max(grid.cv_results_["mean_test_score"])
    assert len(set(grid.cv_results_["mean_test_score"].tolist())) > 1


def test_soft_labels(reviews: Reviews) -> None:
    texts, labels = reviews
    numbers = (labels == "good").astype(int)
    hard = WeakToStrongClassifier(STUDENT, method="naive").fit(texts, numbers)
    soft = WeakToStrongClassifier(STUDENT, method="naive").fit(texts, np.eye(2)[numbers])
    np.testing.assert_array_equal(hard.predict_proba(texts), soft.predict_proba(texts))
    assert soft.classes_.tolist() == [0, 1]
    assert soft.score(texts, np.eye(2)[numbers]) == hard.score(texts, numbers)

    unsure = WeakToStrongClassifier(STUDENT, method="naive").fit(texts, 0.5 + (np.eye(2)[numbers] - 0.5) / 5)
    assert unsure.predict_proba(texts).max() < hard.predict_proba(texts).max()
    scores = cross_val_score(WeakToStrongClassifier(STUDENT), texts, np.eye(2)[numbers], cv=3)
    assert scores.min() > 0.6


def test_weights_count_as_repeated_or_absent_rows(reviews: Reviews) -> None:
    texts, labels = reviews[0][:60], reviews[1][:60]
    weights = np.r_[np.full(20, 2.0), np.ones(20), np.zeros(20)]
    weighted = WeakToStrongClassifier(STUDENT, method="naive").fit(texts, labels, weights)
    repeated = WeakToStrongClassifier(STUDENT, method="naive").fit(
        [*texts[:20], *texts[:40]], np.r_[labels[:20], labels[:40]]
    )
    np.testing.assert_allclose(weighted.predict_proba(texts), repeated.predict_proba(texts), atol=1e-5)
    plain = WeakToStrongClassifier(STUDENT, method="naive").fit(texts, labels)
    assert np.abs(weighted.predict_proba(texts) - plain.predict_proba(texts)).max() > 0.01


def test_confidence_takes_the_shares_of_the_classes_from_the_labels(reviews: Reviews) -> None:
    texts, labels = reviews
    few = np.r_[np.flatnonzero(labels == "bad")[:150], np.flatnonzero(labels == "good")[:15]]
    texts, labels = [texts[place] for place in few], labels[few]
    shares = [
        (WeakToStrongClassifier(STUDENT, method).fit(texts, labels).predict(texts) == "good").mean()
        for method in ({"confidence": {"alpha": 0.9}}, {"confidence": {"alpha": 0.9, "prior": "balanced"}})
    ]
    assert shares[0] < 0.15 < 0.25 < shares[1]  # 15 of 165 are .09


def test_clone_copy_and_pickle(reviews: Reviews) -> None:
    texts, labels = reviews
    made = WeakToStrongClassifier(STUDENT, l2=0.1).fit(texts, labels)
    given = {"budget": None, "device": "auto", "l2": 0.1, "method": None, "seed": 0, "student": STUDENT}
    assert made.get_params() == given
    assert not hasattr(clone(made), "classes_")
    assert clone(made).get_params() == made.get_params()
    assert made.set_params(l2=0.2).l2 == 0.2
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        np.testing.assert_array_equal(again.predict_proba(texts), made.predict_proba(texts))


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
def test_a_finetuned_student(tmp_path: Path) -> None:
    texts = list(dict.fromkeys(tiny_models.TEXTS))
    labels = ["film" in text for text in texts]
    body = tiny_models.make("bert", tmp_path / "bert", initializer_range=0.3)
    student = {"finetune": str(body), "epochs": 60, "lr": 1e-3}
    made = WeakToStrongClassifier(student, method="naive").fit(texts, labels)
    assert made.score(texts, labels) > 0.8
    again = pickle.loads(pickle.dumps(made))
    np.testing.assert_allclose(again.predict_proba(texts), made.predict_proba(texts), atol=1e-6)
    assert again.predict(texts).tolist() == made.predict(texts).tolist()


def test_any_sequence_of_texts(reviews: Reviews) -> None:
    import pandas

    texts, labels = reviews
    made = WeakToStrongClassifier(STUDENT).fit(texts, labels.tolist())
    expected = made.predict(texts)
    for form in (np.array(texts), np.array(texts, dtype=object), np.array(texts)[:, None], pandas.Series(texts)):
        assert made.predict(form).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("texts", "labels", "sentence"),
    [
        ("one text", [0], "a list or an array of texts, not one text"),
        ([], [], "0 texts; at least one is needed"),
        (["a", 3], [0, 1], "every input is a text; the one at 1 is a int"),
        (["a", "b"], [0], r"2 texts and weak labels of shape \[1\]"),
        (["a", "b"], [1, 1], "hold one class only"),
        (["a", "b"], [0, np.nan], "some weak labels are NaN or infinite"),
        (["a", "b"], [[0.5, 0.5], [0.9, 0.9]], "each row sums to 1"),
        (["a", "b"], [0.3, 0.7], "Unknown label type: continuous"),
    ],
)
def test_what_cannot_be_fitted(texts: Any, labels: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        WeakToStrongClassifier(STUDENT).fit(texts, labels)


@pytest.mark.parametrize("weights", [[1.0], [-1.0, 1.0], [0.0, 0.0], [np.nan, 1.0]])
def test_weights_that_are_none(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="sample_weight is 2 numbers of zero or more, not all zero"):
        WeakToStrongClassifier(STUDENT).fit(["a", "b"], [0, 1], weights)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"student": "minlm"}, 'unknown student "minlm"; did you mean "minilm"'),
        ({"method": "confidance"}, 'unknown method "confidance"; did you mean "confidence"'),
        ({"method": {"confidence": {"alfa": 1}}}, 'unknown option "alfa"; did you mean "alpha"'),
        ({"student": {"static": "wordllama", "layer": 3}}, 'unknown option "layer"'),
        ({"student": "given:votes.csv"}, "`given` labels can supervise but not learn"),
    ],
)
def test_names_that_are_not_known(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        WeakToStrongClassifier(**{"student": STUDENT, **options}).fit(["a", "b"], [0, 1])
