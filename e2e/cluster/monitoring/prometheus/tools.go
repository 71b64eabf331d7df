//go:build tools

// Package tools pins Prometheus. It wants later Kubernetes libraries than its operator.
package tools

import _ "github.com/prometheus/prometheus/cmd/prometheus"
