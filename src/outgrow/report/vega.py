"""The scripts that draw the charts in a browser, as one."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version

from outgrow.core.files import disk


@cache
def bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script that defines `vegaEmbed`; kept in the user's cache, it takes a second."""
    import vl_convert
    from platformdirs import user_cache_path

    kept = user_cache_path("outgrow") / f"charts-{version('vl-convert-python')}.js"
    try:
        text, _, mark = kept.read_text(encoding="utf-8").rpartition("\n// ")
        if mark == hashlib.sha256(text.encode()).hexdigest():
            return text
    except (OSError, UnicodeDecodeError):
        pass
    text = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", r"<\/script")
    try:
        with disk.replacing(kept) as new:
            new.write_text(f"{text}\n// {hashlib.sha256(text.encode()).hexdigest()}", encoding="utf-8")
    except OSError:
        pass  # a home that cannot be written: it takes its second again
    return text
