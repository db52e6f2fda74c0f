// Package terraform writes a cluster as code of Terraform or OpenTofu for the provider bpg/proxmox: versions, an empty provider block (the
// credentials are in the environment), one import block and one resource per object. The measure is the real provider: it plans
// "N to import, 0 to add, 0 to change, 0 to destroy". The rules were found by trying (facts terraform-real-rules.md: rule A1 to G1;
// terraform-ansible.md); each is named where it is used. They belong to one release of the provider (release.go).
//
// A resource is a claim: who it is (for its address), how it is imported, and a function that writes its block once all addresses are
// known, so that resources can refer to each other. Objects that are no guests are rows of the table kinds (kinds.go).
package terraform
