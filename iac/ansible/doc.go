// Package ansible writes a cluster as an Ansible project: a static inventory with the addresses that guests were seen with, groups by what
// they are and where they run, host_vars, playbooks, and the configuration of the linters that it passes (ansible-lint 6.13, profile
// production; yamllint --strict). Everything that comes from guests is !unsafe: Ansible never templates it.
package ansible
