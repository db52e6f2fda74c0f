package config

import (
	"fmt"
	"strings"
)

// The environment, by the names that the Terraform provider bpg/proxmox reads (facts: terraform-ansible.md), so that one environment
// serves both. PROXMOX_VE_FINGERPRINT is ours.
const (
	envEndpoint    = "PROXMOX_VE_ENDPOINT"
	envToken       = "PROXMOX_VE_API_TOKEN" //nolint:gosec // the name of a variable
	envUsername    = "PROXMOX_VE_USERNAME"
	envPassword    = "PROXMOX_VE_PASSWORD" //nolint:gosec // the name of a variable
	envFingerprint = "PROXMOX_VE_FINGERPRINT"
	envInsecure    = "PROXMOX_VE_INSECURE"
)

// envKeys are the names that problems of the environment's cluster use.
var envKeys = map[string]string{
	"endpoints": envEndpoint, "token": envToken, "username": envUsername, "password": envPassword,
	"fingerprints": envFingerprint, "insecure": envInsecure,
}

// fromEnv is the cluster that the environment defines. path is the file that was read ("" for none), fileClusters how many it has.
func (l *loader) fromEnv(path string, fileClusters int) (rawCluster, bool) {
	c := rawCluster{fromEnv: true, name: setting{text: EnvCluster, set: true, seen: true, at: spot{key: envEndpoint}}}
	c.endpoints, c.fingerprints = l.envList(envEndpoint), l.envList(envFingerprint)
	c.token, c.username, c.password = l.envText(envToken), l.envText(envUsername), l.envText(envPassword)
	c.insecure = l.envText(envInsecure)
	if c.endpoints.set {
		if fileClusters > 0 {
			l.note("%s is set: it alone is used, and the clusters of %s are left out", envEndpoint, path)
		}
		return l.preferStronger(c), true
	}
	var lone []string
	for _, name := range []string{envToken, envUsername, envPassword, envFingerprint, envInsecure} {
		if l.envText(name).set {
			lone = append(lone, name)
		}
	}
	switch {
	case len(lone) == 0:
	case fileClusters > 0:
		l.note("%s left out: without %s the clusters come from %s", strings.Join(lone, ", "), envEndpoint, path)
	case c.token.set || c.password.set:
		l.add(spot{key: envEndpoint}, "is missing, while %s is set: the address of a node, such as https://pve1.example.org:8006",
			strings.Join(lone, ", "))
	}
	return rawCluster{}, false
}

// preferStronger drops what an environment made for Terraform sets besides: a password next to a token (the provider wants it
// for SSH), and insecure next to a fingerprint.
func (l *loader) preferStronger(c rawCluster) rawCluster {
	if c.token.set && (c.username.set || c.password.set) {
		l.note("%s is used; %s and %s are left out", envToken, envUsername, envPassword)
		c.username, c.password = setting{}, setting{}
	}
	if c.fingerprints.set && c.insecure.set {
		l.note("%s is left out: the certificate must have a fingerprint of %s", envInsecure, envFingerprint)
		c.insecure = setting{}
	}
	return c
}

func (l *loader) envText(name string) setting {
	v := strings.TrimSpace(l.opts.env(name))
	return setting{text: v, set: v != "", seen: v != "", at: spot{key: name}}
}

func (l *loader) envList(name string) settings {
	s := l.envText(name)
	if !s.set {
		return settings{at: s.at}
	}
	return settings{items: split(s.text, s.at), at: s.at, set: true, seen: true}
}

func (l *loader) note(format string, args ...any) {
	l.notes = append(l.notes, Note(fmt.Sprintf(format, args...)))
}

// sub is the place to blame for a setting that is missing.
func (c rawCluster) sub(key string) spot {
	if c.fromEnv {
		return spot{key: c.keyName(key)}
	}
	return spot{file: c.at.file, line: c.at.line, key: c.at.key + "." + key}
}

// keyName is what a setting is called where this cluster comes from.
func (c rawCluster) keyName(key string) string {
	if c.fromEnv {
		return envKeys[key]
	}
	return key
}

// title names the cluster in a note.
func (c rawCluster) title() string {
	switch {
	case c.fromEnv:
		return envInsecure
	case clusterName().MatchString(c.name.text):
		return "cluster " + c.name.text
	}
	return c.at.key
}
