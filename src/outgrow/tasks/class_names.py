"""Whether texts give their class away by its name."""

from __future__ import annotations

import re
from collections.abc import Sequence

WORD = r"[\w']+"
NAMED, GIVEN_AWAY = 0.1, 0.9  # shares: of rows with a class's name in them, and of those where it is the row's own


def class_names_in_texts(forms: Sequence[str], labels: Sequence[int], classes: Sequence[str]) -> list[str]:
    """A note where the name of a class, as a word, gives its rows away: in a tenth of them or more, right in nine of ten.

    Names without a letter are not looked for: texts hold numbers of their own.
    """
    names = [" ".join(re.findall(WORD, name.casefold())) if re.search(r"[^\W\d_]", name) else "" for name in classes]
    named = right = known = 0
    for form, label in zip(forms, labels, strict=True):
        if label < 0:
            continue
        known += 1
        words = f" {' '.join(re.findall(WORD, form))} "
        found = [place for place, name in enumerate(names) if name and f" {name} " in words]
        if len(found) == 1:
            named += 1
            right += found[0] == label
    if not known or named < max(known * NAMED, 20) or right < named * GIVEN_AWAY:
        return []
    return [
        f"the name of one class occurs in {named} of {known} texts, and it is the row's own in {100 * right / named:.0f}%: the "
        "label may be written into the text"
    ]
