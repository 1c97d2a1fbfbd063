//go:build tools

// Package tools pins external-dns for the end-to-end tests.
package tools

import _ "sigs.k8s.io/external-dns"
