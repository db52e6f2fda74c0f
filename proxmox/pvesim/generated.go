package pvesim

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// defaultMACPrefix is what generated addresses begin with unless datacenter.cfg says otherwise (03/001).
const defaultMACPrefix = "BC:24:11"

// randomBytes are the next 16 bytes of a sequence that depends on nothing but the world's date: two runs of the same
// requests make the same identifiers.
func (w *World) randomBytes() [16]byte {
	w.serial++
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", w.TakenAt.UnixNano(), w.serial))
	return [16]byte(sum[:16])
}

// newUUID makes a random UUID, as for smbios1 and vmgenid.
func (w *World) newUUID() string {
	b := w.randomBytes()
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newMAC makes an address of a network device; it begins with the mac_prefix of the datacenter's options.
func (w *World) newMAC() string {
	prefix := text(w.Cluster.Options["mac_prefix"])
	if prefix == "" {
		prefix = defaultMACPrefix
	}
	parts := strings.Split(strings.ToUpper(prefix), ":")
	for _, v := range w.randomBytes() {
		if len(parts) == 6 {
			break
		}
		parts = append(parts, fmt.Sprintf("%02X", v))
	}
	return strings.Join(parts, ":")
}
