"""One file per section of the page: what it shows of a scene, its template and its script. `catalogue.py` lists them."""
