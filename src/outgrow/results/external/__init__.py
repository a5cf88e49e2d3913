"""The same numbers for results that another program made (`outgrow score`)."""
