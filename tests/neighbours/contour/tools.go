//go:build tools

// Package tools pins Contour for the end-to-end tests.
package tools

import _ "github.com/projectcontour/contour/cmd/contour"
