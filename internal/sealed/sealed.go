// Package sealed makes text that a client carries for us and brings back unread and unchanged: encrypted and authenticated with
// AES-256-GCM, bound to who it was made for, and of no use after its time (facts: mcp.md 6.4).
package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// version is the first byte of every sealed text, so that another form can be told from damage.
const version = 1

// MinKey is how many bytes a given key has at least: less can be guessed.
const MinKey = 32

// ErrInvalid says that a text was not sealed by this key for this purpose, or that its time is over: which of them is nobody's business.
var ErrInvalid = errors.New("not sealed here for this purpose, or expired")

// Box seals and opens with one key. It is safe for concurrent use.
type Box struct {
	aead cipher.AEAD
	now  func() time.Time
}

// New makes a box. Replicas that are given the same key open each other's texts; with "" the key is random and lives in this process.
func New(key string, now func() time.Time) (*Box, error) {
	raw := []byte(key)
	switch {
	case key == "":
		raw = []byte(rand.Text() + rand.Text()) // 260 bits
	case len(raw) < MinKey:
		return nil, errors.New("a key has at least 32 characters")
	}
	sum := sha256.Sum256(raw)
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &Box{aead: aead, now: now}, err
}

// Seal returns text for life, as letters that fit into JSON and headers. Only Open with the same purpose gives it back.
func (b *Box) Seal(text string, life time.Duration, purpose ...string) string {
	plain := binary.BigEndian.AppendUint64(nil, uint64(b.now().Add(life).UnixMilli())) //nolint:gosec // after 1970
	sealed := b.aead.Seal([]byte{version}, nil, append(plain, text...), bind(purpose)) //nolint:gosec // the nonce is random and inside
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// Open returns what Seal was given, or ErrInvalid.
func (b *Box) Open(sealed string, purpose ...string) (string, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(raw) == 0 || raw[0] != version {
		return "", ErrInvalid
	}
	plain, err := b.aead.Open(nil, nil, raw[1:], bind(purpose))
	if err != nil || len(plain) < 8 {
		return "", ErrInvalid
	}
	if until := time.UnixMilli(int64(binary.BigEndian.Uint64(plain))); !b.now().Before(until) { //nolint:gosec // our own figure
		return "", ErrInvalid
	}
	return string(plain[8:]), nil
}

// bind joins the parts with their lengths, so that no two lists of parts read alike.
func bind(parts []string) []byte {
	var out []byte
	for _, p := range parts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(p))) //nolint:gosec // names
		out = append(out, p...)
	}
	return out
}
