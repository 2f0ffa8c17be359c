"""Records as arrays: data sets, outliers, transforms and folds."""
