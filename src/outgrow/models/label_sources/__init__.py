"""Supervisors that are not one model: label files, aggregated voters, simulated mistakes."""
