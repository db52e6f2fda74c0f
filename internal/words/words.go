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

// Bare is a JSON-RPC message, or an event that holds one, with a marked reason for the whole message of its error. Any other is returned as it is.
func Bare(message []byte) []byte {
	begin := bytes.Index(message, []byte("'"+encoded))
	if begin < 0 {
		return message
	}
	head := bytes.LastIndex(message[:begin], []byte(`"error":{"code":-32`))
	text := head + bytes.Index(message[max(head, 0):begin], []byte(`"message":"`))
	reason := message[begin+1+len(encoded):]
	end := bytes.Index(reason, []byte(encoded+"'"))
	if head < 0 || text < head || end < 0 {
		return message
	}
	rest := bytes.IndexByte(reason[end:], '"')
	if rest < 0 {
		return message
	}
	out := append(make([]byte, 0, len(message)), message[:text+len(`"message":"`)]...)
	return append(append(out, reason[:end]...), reason[end+rest:]...)
}
