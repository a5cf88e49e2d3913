"""What `results.json` must hold for its numbers to be read: names, seeds, shares and intervals of the right types."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from outgrow.core.errors import OutgrowError

NOT_WHOLE = "is not a run folder of outgrow as it was written"
AGAIN = "run the same experiment again, the store still has the work"

Named = str | Annotated[dict[str, Any], Field(min_length=1)] | Annotated[list[Any], Field(min_length=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Names(_Part):
    task: str
    test_set: str = ""
    weak: Named
    strong: Named
    method: Named


class _Run(_Names):
    seed: int
    weak_accuracy: Share | None
    student_accuracy: Share | None
    ceiling_accuracy: Share | None


class _Interval(_Part):
    estimate: Number | None
    low: Number | None
    high: Number | None
    status: str


class _Cell(_Names):
    seeds: Annotated[list[int], Field(min_length=1)]
    n_test: Annotated[int, Field(ge=1)]
    weak_accuracy: _Interval
    student_accuracy: _Interval
    ceiling_accuracy: _Interval
    pgr: _Interval


class _Content(_Part):
    schema_: Annotated[int, Field(alias="schema")]
    runs: list[_Run]
    cells: list[_Cell]
    environment: dict[str, Any]
    notes: list[str] = []
    controls: list[dict[str, Any]] = []
    names: dict[str, str] = {}


def check_content(path: Path, content: Any) -> None:
    """Raise OutgrowError where a part that is read is missing or of another type, with the first such part."""
    try:
        _Content.model_validate(content)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(
            str(part) for part in fault["loc"] if not str(part).startswith(("function-", "dict[", "list["))
        )
        what = "is missing" if fault["type"] == "missing" else fault["msg"].removeprefix("Input ").lower()
        raise OutgrowError(f"{path.parent}: {NOT_WHOLE}: {place} {what} in {path.name}; {AGAIN}") from None
