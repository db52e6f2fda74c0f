package pve

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// TaskHandle is the short name of a task: t- and eight letters made from the hash of its UPID. A UPID costs a model some 35
// tokens, a handle 6; 40 bits keep the chance of two equal ones among 100,000 tasks below 1 in 200.
func TaskHandle(upid string) string {
	sum := sha256.Sum256([]byte(upid))
	return "t-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
}
