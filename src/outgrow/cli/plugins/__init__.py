"""Plug-ins to start from: `outgrow new` copies them, and examples/plugins shows the same files."""
