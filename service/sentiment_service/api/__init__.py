"""The HTTP surface: routes, schemas, errors, and the guard around them."""
