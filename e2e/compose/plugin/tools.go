//go:build tools

// Package tools pins Docker Compose: the last of version 2.
package tools

import _ "github.com/docker/compose/v2/cmd"
