"""Target in frameworks and standards: one module and one extra for each."""
