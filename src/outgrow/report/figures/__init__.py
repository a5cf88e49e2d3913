"""One file per figure: the rows that it shows of a scene, and its chart. `catalogue.py` lists them."""
