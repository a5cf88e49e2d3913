"""Input types: the contract with `text`, choices and pictures."""
