"""What on-device decisioning does beside deciding: fetching rules, looking up places, telling Target."""
