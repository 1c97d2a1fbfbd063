//go:build tools

// Package tools pins the data plane of the end-to-end tests.
package tools

import _ "github.com/envoyproxy/gateway/cmd/envoy-gateway"
