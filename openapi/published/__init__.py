"""How the spec follows the document that Adobe publishes: read it, compare it, take over what changed.

`reading` (with `references` and `outline`) turns files into a `Document`, `plain` gives every schema one form,
`deviations` applies what we do differently on purpose, `compare` (with `renames`) finds the changes, `wording` says
them, `update` (with `spec_file` and `prose`) writes them into delivery-api.yaml, `taking_over` does all of an update,
`surface` tells what became of the public API.
"""
