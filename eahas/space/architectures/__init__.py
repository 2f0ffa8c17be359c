"""Architecture families: the arithmetic of their networks."""
