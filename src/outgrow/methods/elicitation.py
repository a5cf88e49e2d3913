"""Labels without a supervisor: from the student's own representation, which learns only the classes' names from weak labels."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from pydantic import Field

from outgrow.core.answers import within
from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints
from outgrow.methods.contract import Method, Rows

RESTARTS = 10  # of k-means and ccs, as scikit-learn and Burns et al. 2022 have
FIRST = 4  # labels a class that a search of icm begins with: eight of two classes, as the paper's
LENGTH = 8.0  # of rows of features, as heads have them


class _Elicited(Method):
    """What takes nothing from weak labels but which class is which."""

    @property
    def needs_supervisor(self) -> bool:
        """No."""
        return False


class KMeans(_Elicited):
    """Clusters of the student's frozen features, one a class, in place of the weak labels.

    k-means (Lloyd 1982, *Least squares quantization in PCM*), of rows of length one less their mean; an unsupervised
    baseline of Burns et al. 2022 (arXiv 2212.03827). Each cluster is named by the class that makes it agree best with the weak
    labels, which is all that is taken from these.
    """

    @property
    def reads_features(self) -> bool:
        """Yes."""
        return True

    def labels(self, weak: Floats, rows: Rows) -> Floats:
        """One-hot rows. Raises OutgrowError where there are fewer rows than classes."""
        from sklearn.cluster import KMeans as Clusters

        values = _centred(rows)
        if len(values) < weak.shape[1]:
            raise OutgrowError(f"kmeans: {len(values)} rows cannot be cut into {weak.shape[1]} clusters")
        found = Clusters(weak.shape[1], n_init=RESTARTS, random_state=rows.seed).fit_predict(values)
        return within(named(np.eye(weak.shape[1])[found], weak), rows.allowed)


class Ccs(_Elicited):
    """A direction in the student's features along which a statement and its contrary contradict each other.

    Contrast-consistent search (Burns et al. 2022, arXiv 2212.03827), section 2.2: a probe gives a text that ends in one class's
    name p+ and one that ends in the other's p-, and learns without labels to minimise (p+ - (1 - p-))^2 + min(p+, p-)^2; of
    ten random beginnings the one with the least loss is taken. Of more classes than two, the p of a text are to sum to one,
    and all but the largest to be small. Candidates of a choice are such texts already. Here features are each text's
    less the mean over the classes, which takes away what they share; they are normalised over rows as in the paper, and its
    AdamW is L-BFGS with the same weight decay. The weak labels say only which end is which class.
    """

    decay: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = 0.01

    @property
    def reads_contrasts(self) -> bool:
        """Yes."""
        return True

    def labels(self, weak: Floats, rows: Rows) -> Floats:
        """Probabilities: of two classes (p+ + 1 - p-) / 2, of more p over its sum."""
        assert rows.features is not None
        n, classes = weak.shape
        values = rows.features.reshape(n, classes, -1).astype(np.float64)
        values -= values.mean(axis=0)
        values /= np.maximum(values.std(axis=0), 1e-9)
        random = np.random.default_rng(rows.seed)
        starts = [random.normal(size=values.shape[2] + 1) / math.sqrt(values.shape[2]) for _ in range(RESTARTS)]
        _, probe = min((_consistent(values, start, self.decay) for start in starts), key=lambda tried: tried[0])
        likely = _probabilities(values, probe)
        if classes == 2:
            likely = (likely + 1 - likely[:, ::-1]) / 2
        return within(named(likely / np.maximum(likely.sum(axis=1, keepdims=True), 1e-12), weak), rows.allowed)


class Icm(_Elicited):
    """The labels that predict one another best from the student's features, searched by simulated annealing.

    Internal coherence maximisation (Wen et al. 2025, arXiv 2506.10139), section 2: the mutual predictability of labels, each
    predicted from all others. The paper asks a language model with the others in its context; here, small, a ridge
    regression on frozen features answers, each row left out (in closed form). As there, a search grows from random labels,
    four a class; the best of ten is taken. The paper's logical consistency keeps all labels from being the same; here each
    class is named where it is likelier than usual, and rows trade labels. The weak labels say only which class is
    which. Of more than 1,500 rows that many are searched, and label the others.
    """

    l2: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 0.3
    sweeps: Annotated[int, Field(ge=1, le=10_000)] = 10  # trades tried a row

    @property
    def reads_features(self) -> bool:
        """Yes."""
        return True

    def labels(self, weak: Floats, rows: Rows) -> Floats:
        """One-hot rows."""
        classes = weak.shape[1]
        values = _centred(rows) * LENGTH
        random = np.random.default_rng(rows.seed)
        looked = np.sort(random.permutation(len(values))[:1500])
        found = _coherent(values[looked], classes, self.l2, self.sweeps, random)
        guesses = np.eye(classes)[found]
        if len(looked) < len(values):
            guesses = np.eye(classes)[(values @ _ridge(values[looked], guesses, self.l2)).argmax(axis=1)]
        return within(named(guesses, weak), rows.allowed)


def named(guesses: Floats, weak: Floats) -> Floats:
    """The guesses `[n, classes]` with its columns in the order that agrees best with the weak labels."""
    from scipy.optimize import linear_sum_assignment

    _, order = linear_sum_assignment(weak.T.astype(np.float64) @ guesses, maximize=True)
    return guesses[:, order]


def _centred(rows: Rows) -> Floats:
    """Features of length one, less their mean, and of length one again."""
    assert rows.features is not None
    values = rows.features.astype(np.float64)
    for _ in range(2):
        values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
        values = values - values.mean(axis=0)
    centred: Floats = values
    return centred


def _probabilities(values: Floats, probe: Floats) -> Floats:
    """p of each text, of features `[n, classes, d]`."""
    from scipy.special import expit

    likely: Floats = expit(values @ probe[:-1] + probe[-1])
    return likely


def _consistent(values: Floats, start: Floats, decay: float) -> tuple[float, Floats]:
    """The loss that a probe reaches from a beginning, and the probe."""
    from scipy.optimize import minimize

    n = len(values)

    def loss(probe: Floats) -> tuple[float, Floats]:
        likely = _probabilities(values, probe)
        off, small = likely.sum(axis=1) - 1, likely.copy()
        small[np.arange(n), likely.argmax(axis=1)] = 0
        value = float((off**2 + (small**2).sum(axis=1)).mean()) + decay * float(probe[:-1] @ probe[:-1]) / 2
        slopes = 2 * (off[:, None] + small) * likely * (1 - likely) / n
        return value, np.append(np.tensordot(slopes, values, 2) + decay * probe[:-1], slopes.sum())

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000})
    return float(found.fun), np.asarray(found.x)


def _ridge(values: Floats, guesses: Floats, l2: float) -> Floats:
    """Weights `[d, classes]` of a ridge regression of labels less their mean."""
    inner = values.T @ values + l2 * len(values) * np.eye(values.shape[1])
    weights: Floats = np.linalg.solve(inner, values.T @ (guesses - guesses.mean(axis=0)))
    return weights


def _coherent(values: Floats, classes: int, l2: float, sweeps: int, random: np.random.Generator) -> Ints:
    """Labels `[n]` with the least squared error of each predicted from all others, the best of ten searches.

    Left out, row i's error is (y - Hy)_i / (1 - H_ii), H the hat matrix of ridge regression with a free mean; so the sum of
    squares is y'My, and what a trade changes is known from My.
    """
    n = len(values)
    hat = values @ np.linalg.solve(values.T @ values + l2 * n * np.eye(values.shape[1]), values.T) + 1 / n
    left = (np.eye(n) - hat) / np.maximum(1 - np.diag(hat), 1e-9)[:, None]
    errors = left.T @ left
    searches = [_traded(_grown(values, classes, l2, random), errors, classes, sweeps, random) for _ in range(RESTARTS)]
    found: Ints = min(searches, key=lambda labels: _error(errors, np.eye(classes)[labels]))
    return found


def _error(errors: Floats, guesses: Floats) -> float:
    return float((guesses * (errors @ guesses)).sum())


def _grown(values: Floats, classes: int, l2: float, random: np.random.Generator) -> Ints:
    """Labels `[n]` grown from a few random ones: twice as many rows a time get what those before predict, none too often."""
    n = len(values)
    order = random.permutation(n)
    known = min(n, FIRST * classes)
    labels = np.zeros(n, dtype=np.int64)
    labels[order[:known]] = np.arange(known) % classes
    for _ in range(2 * n.bit_length()):
        learned, known = order[:known], min(n, 2 * known)
        scores = values[order[:known]] @ _ridge(values[learned], np.eye(classes)[labels[learned]], l2)
        # Each class is named where it is more likely than usual, so that no class takes all rows.
        labels[order[:known]] = ((scores - scores.mean(axis=0)) / np.maximum(scores.std(axis=0), 1e-9)).argmax(axis=1)
    return labels


def _traded(labels: Ints, errors: Floats, classes: int, sweeps: int, random: np.random.Generator) -> Ints:
    """Labels after trades between two rows at a time, by simulated annealing on the error."""
    n, own = len(labels), np.diag(errors)
    slopes = errors @ np.eye(classes)[labels]
    for heat in np.geomspace(0.3, 0.01, sweeps):
        for one, other, luck in zip(
            random.integers(n, size=n), random.integers(n, size=n), random.random(n), strict=True
        ):
            a, b = labels[one], labels[other]
            if a == b:
                continue
            moved = slopes[other, a] - slopes[one, a] + slopes[one, b] - slopes[other, b]
            change = 2 * (moved + own[one] + own[other] - 2 * errors[one, other])
            if change <= 0 or luck < math.exp(-change / heat):
                labels[one], labels[other] = b, a
                turn = errors[other] - errors[one]
                slopes[:, a] += turn
                slopes[:, b] -= turn
    return labels
