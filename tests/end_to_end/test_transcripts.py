"""The comparison by which pages are kept to what commands print."""

import pytest
from transcripts import assert_alike

PAGE = "┃ student           ┃\n│ .773 [.757, .789] │ ····●━\nworth 112 labels (95% interval 89 to 1,430), p <.001; l2 0.003"


@pytest.mark.parametrize(
    "printed",
    [
        PAGE,
        PAGE.replace(".773", ".775").replace("112", "114").replace("1,430", "1,444"),
        PAGE.replace("····●━", "··━●━━") + "   \n",
    ],
)
def test_last_digits_and_drawing_may_differ(printed: str) -> None:
    assert_alike(PAGE, printed, "outgrow show")


@pytest.mark.parametrize(
    ("there", "here"),
    [(".773", ".781"), ("112", "120"), ("89", "92"), ("worth", "is worth"), (".003", ".01"), ("p <.001", "p .030")],
)
def test_other_words_and_numbers_may_not(there: str, here: str) -> None:
    with pytest.raises(AssertionError, match="prints"):
        assert_alike(PAGE, PAGE.replace(there, here), "outgrow show")
