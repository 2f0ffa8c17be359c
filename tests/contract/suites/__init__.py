"""Suites that hold an implementation to its interface; installed as `eahas.contract`."""
