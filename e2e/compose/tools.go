//go:build tools

// Package tools pins the parser that Docker Compose reads its files with.
package tools

import _ "github.com/compose-spec/compose-go/v2/cmd"
