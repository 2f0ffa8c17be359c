"""Benchmarks: folders of models over one space, their predictions, optima and fronts."""

from eahas.benchmark.benchmark import Benchmark as Benchmark
