//go:build tools

// Package tools pins KEDA: its operator, and the adapter that serves its triggers to autoscalers.
package tools

import (
	_ "github.com/kedacore/keda/v2/cmd/adapter"
	_ "github.com/kedacore/keda/v2/cmd/operator"
)
