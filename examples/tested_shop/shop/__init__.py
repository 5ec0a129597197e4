"""A shop that shows offers of Adobe Target."""
