"""What tests of teaching share."""

import pytest
from saved_students import tiny_table


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small table of static embeddings, for what asks for some student."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny_table(folder)
    return f"static:{folder}"
