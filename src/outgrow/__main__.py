"""`python -m outgrow` is the `outgrow` command."""

from outgrow.cli.app import entry

if __name__ == "__main__":
    entry()
