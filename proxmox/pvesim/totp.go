package pvesim

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what authenticator programs use
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// totp makes codes by time (RFC 6238).
type totp struct {
	secret []byte
	hash   func() hash.Hash
	digits int
	period int64
}

// parseTOTP reads an otpauth URI, as authenticator programs take it.
func parseTOTP(uri string) (*totp, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" {
		return nil, fail("not an otpauth uri")
	}
	q := u.Query()
	t := &totp{hash: sha1.New, digits: 6, period: 30}
	if t.secret, err = base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(strings.ToUpper(q.Get("secret")), "=")); err != nil || len(t.secret) == 0 {
		return nil, fail("missing secret in otpauth url")
	}
	switch q.Get("algorithm") {
	case "SHA256":
		t.hash = sha256.New
	case "SHA512":
		t.hash = sha512.New
	}
	if n, err := strconv.Atoi(q.Get("digits")); err == nil && n >= 6 && n <= 8 {
		t.digits = n
	}
	if n, err := strconv.ParseInt(q.Get("period"), 10, 64); err == nil && n > 0 {
		t.period = n
	}
	return t, nil
}

func (t *totp) code(step int64) string {
	m := hmac.New(t.hash, t.secret)
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(step)) //nolint:gosec // times are after 1970
	m.Write(b[:])
	sum := m.Sum(nil)
	at := sum[len(sum)-1] & 15
	n := binary.BigEndian.Uint32(sum[at:]) & math.MaxInt32
	return fmt.Sprintf("%0*d", t.digits, n%uint32(math.Pow10(t.digits)))
}

// fits is whether a code is that of now, or of the step before or after (source: -1..=1).
func (t *totp) fits(code string, now time.Time) bool {
	for step := now.Unix()/t.period - 1; step <= now.Unix()/t.period+1; step++ {
		if subtle.ConstantTimeCompare([]byte(t.code(step)), []byte(code)) == 1 {
			return true
		}
	}
	return false
}
