"""Training one configuration and returning one record: network, data, optimiser, energy meter."""
