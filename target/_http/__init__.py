"""Sending a call and reading its answer: deadlines, connections, proxies, clusters, and what is known of libraries."""
