"""The test cluster: real Kubernetes, built from Go modules."""
