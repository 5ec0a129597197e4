"""What a web service does with a client, whatever its framework: one visit for each request, cookies in and out."""
