// Package config reads the settings of one process: a strict YAML file, or the PROXMOX_VE_* environment that the Terraform provider
// uses too. Every missing or wrong setting is named in one error with its file and line, and no error shows a secret. It touches
// neither Proxmox VE nor the store; it reads secret files and runs secret commands.
//
// The file is that of --config, else of PROXMOX_MCP_CONFIG, else the one at DefaultPath if it exists. PROXMOX_VE_ENDPOINT
// defines one cluster named "default"; it then replaces the clusters of a file for this process (a Note says so), while the other
// settings of the file stay in force. Within the environment a token goes before a password, and a fingerprint before
// PROXMOX_VE_INSECURE, since an environment made for Terraform often sets both; a file that sets both is refused.
//
// testdata/example.yaml shows every setting of the file.
package config
