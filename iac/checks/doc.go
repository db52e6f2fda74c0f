// Package checks writes what a cluster is as checks that programs run and that change nothing: a plan-only Terraform test on data sources,
// goss, and spec.json, which proxmox-mcp itself runs (run_checks) without any program beside it. The Ansible project has its own.
package checks
