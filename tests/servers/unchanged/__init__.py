"""Apps that do not know dualmetrics, one for each framework."""
