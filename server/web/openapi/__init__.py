"""The description of the server's own doors in OpenAPI 3.1, made from the running configuration."""
