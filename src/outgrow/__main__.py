"""`python -m outgrow` is the `outgrow` command."""

from outgrow.cli import entry

if __name__ == "__main__":
    entry()
