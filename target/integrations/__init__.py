"""Target in frameworks: one module and one extra for each."""
