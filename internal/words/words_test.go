package words

import (
	"encoding/json"
	"fmt"
	"testing"
)

// TestBare: mcp-go's words around a marked reason go, whatever the reason quotes; a message without one, or with the marks in data, stays.
func TestBare(t *testing.T) {
	quoted := func(s string) string {
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	const refused, answer = `{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":%s}}`, `{"jsonrpc":"2.0","id":7,"result":{"text":%s}}`
	for name, c := range map[string]struct{ form, said, want string }{
		"prompt":       {refused, "prompt '" + Mark("guest: is required") + "' not found: prompt not found", "guest: is required"},
		"quotes":       {refused, "handler not found for resource URI '" + Mark(`no "a's" <b> \ here`) + "': resource not found", `no "a's" <b> \ here`},
		"spelt marks":  {refused, "tool '" + Mark(`no \u001e' here, nor \\u001e'x, ends \`) + "' not found", `no \u001e' here, nor \\u001e'x, ends \`},
		"event":        {"event: message\ndata: " + refused + "\n\n", "tool '" + Mark("there is no tool") + "' not found", "there is no tool"},
		"unmarked":     {refused, "prompt 'x' not found", "prompt 'x' not found"},
		"half a mark":  {refused, "prompt '\x1ex' not found", "prompt '\x1ex' not found"},
		"in an answer": {answer, "'" + Mark("x") + "'", "'" + Mark("x") + "'"},
		"told of error": {answer, `"error":{"code":-32602,"message":"prompt '` + Mark("x") + `' not found"`,
			`"error":{"code":-32602,"message":"prompt '` + Mark("x") + `' not found"`},
	} {
		if got, want := string(Bare(fmt.Appendf(nil, c.form, quoted(c.said)))), fmt.Sprintf(c.form, quoted(c.want)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
