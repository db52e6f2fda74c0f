package pve

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// PublicKey says whether a line is one public key as in authorized_keys, without options: its type, the key in base64 that names the same
// type, and a comment. Proxmox VE refuses what is none (pve-api.md 29).
func PublicKey(line string) bool {
	fields := strings.Fields(line)
	if len(fields) < 2 || strings.ContainsAny(line, "\r\n\x00") {
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil || len(raw) < 4 {
		return false
	}
	n := int(binary.BigEndian.Uint32(raw))
	return n > 0 && n <= len(raw)-4 && string(raw[4:4+n]) == fields[0]
}
