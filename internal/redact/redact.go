// Package redact keeps secrets out of everything that leaves the client: by field for the configurations of Proxmox VE, then by
// pattern for free text (facts: security.md S13, faults.md 8.14).
package redact

import (
	"log/slog"
	"regexp"
	"strings"
)

// Mask stands for a secret that is set. It is the mask that Proxmox VE itself uses in GET config (recording 02, guest 100).
const Mask = "**********"

// Secret is a value that prints as a mask whatever prints it; only Reveal gives it away.
type Secret struct{ v string }

// NewSecret wraps s.
func NewSecret(s string) Secret { return Secret{s} }

// Reveal returns the value, for the one place that sends it.
func (s Secret) Reveal() string { return s.v }

// IsSet says whether there is a value.
func (s Secret) IsSet() bool { return s.v != "" }

// String implements fmt.Stringer with a mask.
func (s Secret) String() string { return "***" }

// GoString implements fmt.GoStringer with a mask (%#v).
func (s Secret) GoString() string { return "redact.Secret(***)" }

// MarshalText implements encoding.TextMarshaler with a mask: JSON, YAML and slog go through it.
func (s Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// LogValue implements slog.LogValuer with a mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue("***") }

// secretKeys are the fields of Proxmox VE answers that hold a secret, whatever object they are in (schema: expose_credentials, and
// the write parameters of the same names).
var secretKeys = map[string]bool{
	"cipassword": true, "password": true, "secret": true, "token": true, "private-key": true, "privkey": true,
	"encryption-key": true, "ticket": true, "csrfpreventiontoken": true, "crypt-key": true, "authsecret": true,
	"keyring": true, "client-key": true, "bind_password": true, "otp": true,
}

// IsSecretKey says that a field of this name holds a secret.
func IsSecretKey(key string) bool { return secretKeys[strings.ToLower(key)] }

// Fields masks secrets in a decoded JSON value, in place, at every depth, and returns it. Strings are also searched by pattern.
func Fields(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			if IsSecretKey(k) {
				if s, ok := e.(string); !ok || s != "" {
					x[k] = Mask
				}
				continue
			}
			x[k] = Fields(e)
		}
	case []any:
		for i := range x {
			x[i] = Fields(x[i])
		}
	case string:
		return Text(x)
	}
	return v
}

var patterns = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(PVEAPIToken[= ][^!\s]+![^=\s]+[= ])[^\s"']+`), "${1}" + Mask},
	{regexp.MustCompile(`PVE:[^\s:"']+:[0-9A-Fa-f]{8}::[^\s"';]+`), Mask},
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`), Mask},
	{regexp.MustCompile(`(?i)\b(cipassword|passwd|password|secret)(\s*[=:]\s*)[^\s,;&"']+`), "${1}${2}" + Mask},
	{regexp.MustCompile(`(://[^/\s:@]+:)[^/\s@]+@`), "${1}" + Mask + "@"},
}

// suspicious is a cheap test before the patterns: most strings hold none of these.
func suspicious(s string) bool {
	if len(s) < 8 {
		return false
	}
	l := strings.ToLower(s)
	for _, w := range []string{"pve:", "apitoken", "-----begin", "passw", "secret", "://"} {
		if strings.Contains(l, w) {
			return true
		}
	}
	return false
}

// Text masks what looks like a secret in free text: API tokens, tickets, private keys, key=value passwords, URL credentials.
func Text(s string) string {
	if !suspicious(s) {
		return s
	}
	for _, p := range patterns {
		s = p.re.ReplaceAllString(s, p.with)
	}
	return s
}
