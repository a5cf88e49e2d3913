"""The rows of a task by content id, as every step reads them, and where sentences say they came from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Examples, Ints, Labels, Strings
from outgrow.core.files.tables import (
    _spelled,
)
from outgrow.core.inputs.input_type import TEXT, InputType, type_identity, type_with_identity


@dataclass(frozen=True)
class Source:
    """Every row of a task as it came, with its example's content id: how labels from elsewhere find their example."""

    ids: Strings  # [rows], repeated where texts are; a row that was left out of the pool is here too
    official_test: Sequence[bool]  # [rows]
    columns: Mapping[str, Sequence[str | None]]  # plain values only, spelled by `core.class_name`
    orders: Sequence[Sequence[int]] | None = None  # [rows] where each class, being a place, was in the source

    @classmethod
    def of(
        cls,
        ids: Sequence[str],
        columns: Mapping[str, Sequence[Any]],
        test: Sequence[bool] | None,
        orders: Sequence[Sequence[int]] | None = None,
    ) -> Source:
        """The source of rows with these content ids. A column that holds lists or mappings is left out."""
        import numpy as np

        plain = {name: spelled for name, values in columns.items() if (spelled := _spelled(values)) is not None}
        return cls(np.array(ids, dtype=np.str_), list(test) if test is not None else [False] * len(ids), plain, orders)

    def save(self, path: Path) -> None:
        """Write one Parquet file: `id`, `official_test`, each column as `column:<name>`, `orders` where there are any."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {f"column:{name}": pa.array(values, pa.large_string()) for name, values in self.columns.items()}
        ids, test = pa.array(self.ids.tolist(), pa.string()), pa.array(self.official_test, pa.bool_())
        if self.orders is not None:
            columns["orders"] = pa.array([list(order) for order in self.orders], pa.list_(pa.int32()))
        pq.write_table(pa.table({"id": ids, "official_test": test, **columns}), path, compression="zstd")

    @classmethod
    def load(cls, path: Path) -> Source:
        """Read what `save` wrote."""
        import numpy as np
        import pyarrow.parquet as pq

        table = pq.ParquetFile(path).read()
        named = [name for name in table.column_names if name.startswith("column:")]
        columns = {name.removeprefix("column:"): table[name].to_pylist() for name in named}
        ids = np.array(table["id"].to_pylist(), dtype=np.str_)
        orders = table["orders"].to_pylist() if "orders" in table.column_names else None
        return cls(ids, table["official_test"].to_pylist(), columns, orders)


@dataclass(frozen=True)
class Parts:
    """The distinct parts of a pool's inputs, and which of them each row's classes are."""

    values: Sequence[Any]
    places: Ints  # [n, classes] positions in `values`, -1 where a row has fewer


@dataclass(frozen=True)
class Pool:
    """The distinct rows of a task, sorted by content id, with the test rows fixed for all seeds and models."""

    ids: Strings  # [n] content ids (`InputType.id` of the input), each once
    inputs: Sequence[Any]  # n values of the input type
    labels: Ints  # [n] class numbers, -1 where the truth is not known
    classes: tuple[str, ...]
    groups: Strings  # [n] rows of one group never stand in two splits; the row's own id where it belongs with no other
    test: NDArray[np.bool_]  # [n]
    notes: tuple[str, ...] = ()  # sentences for people: what was merged, left out, down-sampled
    input_type: InputType = TEXT
    allowed: NDArray[np.bool_] | None = None  # [n, classes] the classes that a row can have; None: all, in every row
    # Saved with the pool and not read again by `load`: only labels from elsewhere ask for it (`Source.load`).
    source: Source | None = field(default=None, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def parts(self) -> Parts | None:
        """What models score one by one, where each class of an input is a part of it; None: inputs are read whole."""
        if self.input_type.made_of is None:
            return None
        found: dict[Any, int] = {}
        places = np.full((len(self), len(self.classes)), -1, dtype=np.int64)
        for row, value in enumerate(self.inputs):
            for place, part in enumerate(self.input_type.parts(value)):
                places[row, place] = found.setdefault(part, len(found))
        return Parts(list(found), places)

    @property
    def readings(self) -> Sequence[Any]:
        """What a model reads, once each: the inputs, or their distinct parts."""
        return self.inputs if self.parts is None else self.parts.values

    @cached_property
    def sizes(self) -> Ints:
        """What reading each input costs, in characters of text `[n]`; for forecasts."""
        return np.array([self.input_type.size(value) for value in self.inputs], dtype=np.int64)

    def examples(self, rows: Ints) -> Examples:
        """The examples at positions `rows [m]`."""
        inputs = [self.inputs[row] for row in rows.tolist()]
        return Examples(self.ids[rows], inputs, self.input_type.exchangeable)

    def truth(self, rows: Ints) -> Labels:
        """The true labels at positions `rows [m]`, one-hot. Raises OutgrowError where one of them is not known."""
        labels = self.labels[rows]
        if (labels < 0).any():
            raise OutgrowError(f"the truth of {int((labels < 0).sum())} of {len(labels)} rows is not known")
        return Labels.one_hot(self.ids[rows], labels, len(self.classes))

    def save(self, folder: Path) -> None:
        """Write `rows.parquet` (id, input, label, group, test), `pool.json` (classes, notes) and `source.parquet`.

        The column `allowed` and the JSON key `input_type` are there where they say anything: not for texts of any class.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {
            "id": pa.array(self.ids.tolist(), pa.string()),
            "input": pa.array(self.input_type.write(self.inputs, folder), pa.large_string()),
            "label": pa.array(self.labels.tolist(), pa.int32()),
            "group": pa.array(self.groups.tolist(), pa.string()),
            "test": pa.array(self.test.tolist(), pa.bool_()),
        }
        if self.allowed is not None:
            columns["allowed"] = pa.array(self.allowed.tolist(), pa.list_(pa.bool_()))
        pq.write_table(pa.table(columns), folder / "rows.parquet", compression="zstd")
        about: dict[str, Any] = {"classes": list(self.classes), "notes": list(self.notes)}
        if self.input_type is not TEXT:
            about["input_type"] = dict(type_identity(self.input_type))
        (folder / "pool.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if self.source is not None:
            self.source.save(folder / "source.parquet")

    @classmethod
    def load(cls, folder: Path) -> Pool:
        """Read what `save` wrote, without the source. Its arrays cannot be changed: the last two pools are kept."""
        rows = (folder / "rows.parquet").resolve()
        now = rows.stat()
        return _read(rows, now.st_ino, now.st_size, now.st_mtime_ns)


@lru_cache(maxsize=2)  # every step reads its pool, hundreds of them the same one
def _read(file: Path, *version: int) -> Pool:
    import pyarrow.parquet as pq

    rows = pq.ParquetFile(file).read()  # read_table would load pandas
    about = json.loads(file.with_name("pool.json").read_text(encoding="utf-8"))
    input_type = type_with_identity(about["input_type"]) if "input_type" in about else TEXT
    allowed = np.array(rows["allowed"].to_pylist(), dtype=np.bool_) if "allowed" in rows.column_names else None
    found = Pool(
        ids=np.array(rows["id"].to_pylist(), dtype=np.str_),
        inputs=input_type.read(rows["input"].to_pylist(), file.parent),
        labels=rows["label"].to_numpy().astype(np.int64),
        classes=tuple(about["classes"]),
        groups=np.array(rows["group"].to_pylist(), dtype=np.str_),
        test=rows["test"].to_numpy().astype(np.bool_),
        notes=tuple(about["notes"]),
        input_type=input_type,
        allowed=allowed,
    )
    for array in (found.ids, found.labels, found.groups, found.test, *([] if allowed is None else [allowed])):
        array.flags.writeable = False
    return found
