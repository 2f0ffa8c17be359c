"""Models of a benchmark: ensembles that predict and tables that look up, with numpy alone."""
