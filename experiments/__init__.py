"""Experiments: scripts that train models and measure them.

    python -m experiments.gates --help
    python -m experiments.gates --quick

README.md lists them.
"""
