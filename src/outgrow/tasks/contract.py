"""What a task is: `RawTask`, the rows as they come, and `Pool`, the rows that every split of the task is dealt from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core import Examples, Ints, Labels, OutgrowError, Strings
from outgrow.tables import Source


@dataclass(frozen=True)
class RawTask:
    """What a task function returns: n rows in any order, duplicates and all."""

    inputs: Sequence[Any]  # texts
    labels: Sequence[str | int | bool | float | None]  # class names, spelled by `core.class_name`; None: not known
    groups: Sequence[Any] | None = None  # rows that share a value belong together; None in it: belongs with no other
    classes: tuple[str, ...] | None = None  # in the order of the class numbers; default: the names there are, sorted
    test: Sequence[bool] | None = None  # rows of an official test split
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # every column of the source, n values each

    def __post_init__(self) -> None:
        lengths = {"labels": self.labels, "groups": self.groups, "test": self.test, **self.columns}
        for name, values in lengths.items():
            if values is not None and len(values) != len(self.inputs):
                raise OutgrowError(f"a task has {len(self.inputs)} inputs and {len(values)} values in {name}")


@dataclass(frozen=True)
class Pool:
    """The distinct rows of a task, sorted by content id, with the test rows fixed for all seeds and models."""

    ids: Strings  # [n] content ids (`core.content_id` of the input), each once
    inputs: Sequence[Any]  # n texts
    labels: Ints  # [n] class numbers, -1 where the truth is not known
    classes: tuple[str, ...]
    groups: Strings  # [n] rows of one group never stand in two splits; the row's own id where it belongs with no other
    test: NDArray[np.bool_]  # [n]
    notes: tuple[str, ...] = ()  # sentences for people: what was merged, left out, down-sampled
    # Saved with the pool and not read again by `load`: only labels from elsewhere ask for it (`Source.load`).
    source: Source | None = field(default=None, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    def examples(self, rows: Ints) -> Examples:
        """The examples at positions `rows [m]`."""
        return Examples(self.ids[rows], [self.inputs[row] for row in rows.tolist()])

    def truth(self, rows: Ints) -> Labels:
        """The true labels at positions `rows [m]`, one-hot. Raises OutgrowError where one of them is not known."""
        labels = self.labels[rows]
        if (labels < 0).any():
            raise OutgrowError(f"the truth of {int((labels < 0).sum())} of {len(labels)} rows is not known")
        return Labels.one_hot(self.ids[rows], labels, len(self.classes))

    def save(self, folder: Path) -> None:
        """Write `rows.parquet` (id, input, label, group, test), `pool.json` (classes, notes) and `source.parquet`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = pa.table(
            {
                "id": pa.array(self.ids.tolist(), pa.string()),
                "input": pa.array(list(self.inputs), pa.large_string()),
                "label": pa.array(self.labels.tolist(), pa.int32()),
                "group": pa.array(self.groups.tolist(), pa.string()),
                "test": pa.array(self.test.tolist(), pa.bool_()),
            }
        )
        pq.write_table(rows, folder / "rows.parquet", compression="zstd")
        about = {"classes": list(self.classes), "notes": list(self.notes)}
        (folder / "pool.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if self.source is not None:
            self.source.save(folder / "source.parquet")

    @classmethod
    def load(cls, folder: Path) -> Pool:
        """Read what `save` wrote, without the source."""
        import pyarrow.parquet as pq

        rows = pq.read_table(folder / "rows.parquet")
        about = json.loads((folder / "pool.json").read_text(encoding="utf-8"))
        return cls(
            ids=np.array(rows["id"].to_pylist(), dtype=np.str_),
            inputs=rows["input"].to_pylist(),
            labels=rows["label"].to_numpy().astype(np.int64),
            classes=tuple(about["classes"]),
            groups=np.array(rows["group"].to_pylist(), dtype=np.str_),
            test=rows["test"].to_numpy().astype(np.bool_),
            notes=tuple(about["notes"]),
        )
