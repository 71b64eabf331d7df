//go:build tools

// Package tools pins the other programs of the cluster to this module's
// versions, so that what they share with Kubernetes compiles once.
package tools

import (
	_ "github.com/containerd/containerd/v2/cmd/containerd"
	_ "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"
	_ "github.com/containerd/containerd/v2/cmd/ctr"
	_ "github.com/rancher/local-path-provisioner"
	_ "helm.sh/helm/v4/cmd/helm"
	_ "sigs.k8s.io/metrics-server/cmd/metrics-server"
)
