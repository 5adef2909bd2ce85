"""The endpoints, one file a subject; each has a router of its own."""
