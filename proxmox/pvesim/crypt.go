package pvesim

import (
	"crypto/sha256"
	"strings"
)

// cryptRounds is the number of rounds of a hash that does not name one.
const cryptRounds = 5000

// sha256Crypt hashes a password as crypt(3) does with $5$, by the published description of SHA-crypt.
func sha256Crypt(password, salt string) string {
	p, s := []byte(password), []byte(salt)
	sum := cryptStart(p, s)
	pBytes := stretch(sum256(repeat(p, len(p))), len(p))
	sBytes := stretch(sum256(repeat(s, 16+int(sum[0]))), len(s))
	for i := range cryptRounds {
		var b []byte
		first, last := sum, pBytes
		if i%2 == 1 {
			first, last = pBytes, sum
		}
		b = append(b, first...)
		if i%3 != 0 {
			b = append(b, sBytes...)
		}
		if i%7 != 0 {
			b = append(b, pBytes...)
		}
		sum = sum256(append(b, last...))
	}
	return "$5$" + salt + "$" + cryptText(sum)
}

// cryptStart is the sum before the rounds.
func cryptStart(p, s []byte) []byte {
	alt := sum256(append(append(append([]byte{}, p...), s...), p...))
	b := append(append([]byte{}, p...), s...)
	b = append(b, stretch(alt, len(p))...)
	for n := len(p); n > 0; n >>= 1 {
		if n&1 == 1 {
			b = append(b, alt...)
		} else {
			b = append(b, p...)
		}
	}
	return sum256(b)
}

func sum256(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

func repeat(b []byte, times int) []byte {
	var out []byte
	for range times {
		out = append(out, b...)
	}
	return out
}

// stretch repeats b up to a length.
func stretch(b []byte, n int) []byte {
	var out []byte
	for len(out) < n {
		out = append(out, b...)
	}
	return out[:n]
}

const cryptDigits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// cryptText writes the sum in crypt's own order of bytes and its own digits, the low bits first.
func cryptText(sum []byte) string {
	var b strings.Builder
	digits := func(n uint, count int) {
		for range count {
			b.WriteByte(cryptDigits[n&0x3f])
			n >>= 6
		}
	}
	i, j, k := 0, 10, 20
	for range 10 {
		digits(uint(sum[i])<<16|uint(sum[j])<<8|uint(sum[k]), 4)
		i, j, k = k+1, i+1, j+1
	}
	digits(uint(sum[31])<<8|uint(sum[30]), 3)
	return b.String()
}
