package server

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// envelope is what the guard needs of a JSON-RPC message.
type envelope struct {
	id     json.RawMessage
	method bool // has a method: a request or a notification
}

// readEnvelope reads the top-level keys of one message. JSON that cannot be parsed and batches pass: mcp-go answers those with -32700.
// Keys must be spelled exactly and appear once: mcp-go takes "METHOD" for "method" and the last of two (the class of
// CVE-2026-27896), so that a filter in front of it could see another message than it does.
func readEnvelope(line []byte) (envelope, error) {
	var env envelope
	dec := json.NewDecoder(bytes.NewReader(line))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return env, nil
	}
	seen := 0
	var bad error
	for dec.More() {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return env, nil
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return env, nil
		}
		bit := keyBit(key)
		switch {
		case bit == 0 && bad == nil:
			bad = fmt.Errorf("invalid request: unknown top-level key %.40q", key)
		case bit != 0 && seen&bit != 0 && bad == nil:
			bad = fmt.Errorf("invalid request: top-level key %q is given twice", key)
		}
		seen |= bit
		if key == "id" && !bytes.Equal(v, []byte("null")) {
			env.id = v
		}
		env.method = env.method || key == "method"
	}
	return env, bad
}

func keyBit(key string) int {
	for i, k := range [...]string{"jsonrpc", "id", "method", "params", "result", "error"} {
		if key == k {
			return 1 << i
		}
	}
	return 0
}
