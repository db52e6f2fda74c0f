// Package runner drives the programs terraform and tofu and reads what they answer for machines. It is done without
// hashicorp/terraform-exec, which would add what four calls need to a binary that is to stay small.
package runner
