//go:build tools

// Package tools pins prometheus-adapter. It wants earlier Kubernetes libraries than the others.
package tools

import _ "sigs.k8s.io/prometheus-adapter/cmd/adapter"
