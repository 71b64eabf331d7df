//go:build tools

// Package tools pins the Prometheus operator and Alertmanager. They are not in the node's module, nor is Prometheus
// in this one: their Kubernetes libraries differ.
package tools

import (
	_ "github.com/prometheus-operator/prometheus-operator/cmd/operator"
	_ "github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader"
	_ "github.com/prometheus/alertmanager/cmd/alertmanager"
)
