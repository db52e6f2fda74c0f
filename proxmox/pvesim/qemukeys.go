package pvesim

import (
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// hashedPassword is a password that is hashed already: cloud-init takes it as it is.
var hashedPassword = lazy.Regexp(`^\$(?:[156]|2[ay])(\$.+){2}`)

// hashPassword hashes a password as a change of a VM does (facts 50).
func (w *World) hashPassword(password string) string {
	if hashedPassword().MatchString(password) {
		return password
	}
	b := w.randomBytes()
	salt := base64.RawStdEncoding.EncodeToString(b[:6])
	return sha256Crypt(password, strings.ReplaceAll(salt, "+", "."))
}

// keyParts are the numbers of fields that a public key has behind its type.
var keyParts = map[string]int{"ssh-rsa": 2, "ssh-dss": 4, "ssh-ed25519": 1, "ecdsa-sha2-nistp256": 2, "ecdsa-sha2-nistp384": 2,
	"ecdsa-sha2-nistp521": 2, "sk-ssh-ed25519@openssh.com": 2, "sk-ecdsa-sha2-nistp256@openssh.com": 3}

// checkKeys wants a public key in each line that is not empty (04/066).
func checkKeys(lines string) error {
	for line := range strings.SplitSeq(lines, "\n") {
		if strings.TrimSpace(line) != "" && !isPublicKey(line) {
			return fail("SSH public key validation error")
		}
	}
	return nil
}

// isPublicKey is whether a line has a type and the key that belongs to it; options may stand before, a comment behind.
func isPublicKey(line string) bool {
	words := strings.Fields(line)
	for i, word := range words[:max(0, len(words)-1)] {
		if n, ok := keyParts[word]; ok {
			blob, err := base64.StdEncoding.DecodeString(words[i+1])
			return err == nil && isKeyBlob(blob, word, n)
		}
	}
	return false
}

// isKeyBlob is whether the bytes are the type and then n fields, each with its length before it.
func isKeyBlob(blob []byte, kind string, n int) bool {
	var fields []string
	for len(blob) >= 4 {
		size := binary.BigEndian.Uint32(blob)
		if uint64(size) > uint64(len(blob)-4) {
			return false
		}
		fields = append(fields, string(blob[4:4+size]))
		blob = blob[4+size:]
	}
	return len(blob) == 0 && len(fields) == n+1 && fields[0] == kind && (kind != "ssh-ed25519" || len(fields[1]) == 32)
}
