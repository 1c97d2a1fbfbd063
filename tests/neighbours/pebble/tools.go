//go:build tools

// Package tools pins the ACME server of the end-to-end tests.
package tools

import _ "github.com/letsencrypt/pebble/v2/cmd/pebble"
