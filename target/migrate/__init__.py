"""`python -m target.migrate PATH`: code written for Adobe's target-python-sdk becomes code for this package."""
