// Package words carries a refusal's own words through mcp-go, which lets nothing but "no such thing" go out under the code of invalid
// parameters, and puts what was asked for between words of its own: prompt '...' not found: prompt not found. What is asked for is replaced by
// the marked reason before mcp-go looks for it, and the doors take off what is around the marks.
package words

import "bytes"

// mark is a character that no text of ours has: package clean takes it out of what comes from elsewhere. encoded is what JSON makes of it.
const (
	mark    = "\x1e"
	encoded = `\u001e`
)

// Mark is a reason in the place of a name.
func Mark(reason string) string { return mark + reason + mark }

// lead is how far into a message its error begins at most: after the protocol's version and the request's id. Longer answers cost no more than it.
const lead = 512

// Bare is a JSON-RPC message, or an event that holds one, with a marked reason for the whole message of its error. Any other is returned as it is.
func Bare(message []byte) []byte {
	head := bytes.Index(message[:min(len(message), lead)], []byte(`"error":{"code":-32`))
	if head < 0 {
		return message
	}
	begin := bytes.Index(message[head:], []byte("'"+encoded))
	text := bytes.Index(message[head:], []byte(`"message":"`))
	if begin < 0 || text < 0 || begin < text {
		return message
	}
	begin, text = head+begin, head+text
	reason := message[begin+1+len(encoded):]
	end := ending(reason)
	if end < 0 {
		return message
	}
	rest := bytes.IndexByte(reason[end:], '"')
	if rest < 0 {
		return message
	}
	out := append(make([]byte, 0, len(message)), message[:text+len(`"message":"`)]...)
	return append(append(out, reason[:end]...), reason[end+rest:]...)
}

// ending is where the closing mark begins, -1 without one. In a text that has the mark's encoding in letters it is behind a backslash of its own.
func ending(reason []byte) int {
	for at := 0; ; {
		next := bytes.Index(reason[at:], []byte(encoded+"'"))
		if next < 0 {
			return -1
		}
		at += next
		if before := reason[:at]; (len(before)-len(bytes.TrimRight(before, `\`)))%2 == 0 {
			return at
		}
		at++
	}
}
