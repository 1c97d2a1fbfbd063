//go:build tools

// Package tools pins the versions of Helm that the chart is tested with.
package tools

import (
	_ "helm.sh/helm/v3/cmd/helm"
	_ "helm.sh/helm/v4/cmd/helm"
)
