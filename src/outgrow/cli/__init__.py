"""The commands: parse, call, print. Nothing is decided here.

Files with commands do not postpone annotations: typer would compile each of them at every start.
"""
