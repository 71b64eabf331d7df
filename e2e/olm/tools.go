//go:build tools

// Package tools pins the check that OperatorHub makes of a bundle.
package tools

import _ "github.com/operator-framework/api/cmd/operator-verify"
