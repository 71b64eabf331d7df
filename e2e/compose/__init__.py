"""manifests/compose: what the renderers decide of it, and the parser of Docker Compose to read it with."""
