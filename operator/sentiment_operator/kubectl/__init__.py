"""`kubectl sentiment`: what people ask of services and models, on one screen."""
