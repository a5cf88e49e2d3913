"""What an experiment may say of somebody's labels."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from outgrow.core import class_name


class Given(BaseModel):
    """`{given: crowd.csv, on: id}`: a file with a label column, or with one probability column a class."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(validation_alias=AliasChoices("file", "checkpoint"))
    label: str | None = None  # default: the column `label`
    probabilities: list[str] | dict[str, str] | None = None  # columns, or class -> column; default: by their names
    on: str | None = None  # an id column of both files, or `row`; default: the text itself
    text: str | None = None  # the column or template that gives the text here; default: the task's own

    @field_validator("probabilities", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        # In YAML a class or a column may be called 0, or true: the same spelling as everywhere.
        if isinstance(value, dict):
            return {class_name(name) or "": column for name, column in value.items()}
        if isinstance(value, list):
            return [str(column) if isinstance(column, int) else column for column in value]
        return value
