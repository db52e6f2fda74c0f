package server

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/proxmox-mcp/proxmox-mcp/internal/rawjson"
)

// envelope is what the guard needs of a JSON-RPC message.
type envelope struct {
	id     json.RawMessage
	method bool // has a method: a request or a notification
	name   string
}

// readEnvelope reads the top-level keys of one message in one pass (a few hundred nanoseconds; it is on the path of every call). What is
// no JSON object passes: mcp-go answers it with -32700. Keys must be spelled exactly and appear once: mcp-go takes "METHOD" for
// "method" and the last of two (the class of CVE-2026-27896), so that a filter in front of it could see another message than it does.
func readEnvelope(line []byte) (envelope, error) {
	var env envelope
	var bad error
	seen := 0
	whole := rawjson.Members(line, func(key, value []byte) bool {
		bit := keyBit(key)
		switch {
		case bad != nil:
		case bit == 0:
			bad = fmt.Errorf("invalid request: unknown top-level key %.40q", key)
		case seen&bit != 0:
			bad = fmt.Errorf("invalid request: top-level key %q is given twice", key)
		}
		seen |= bit
		if bit == bitID && !bytes.Equal(value, []byte("null")) {
			env.id = value
		}
		if bit == bitMethod {
			env.method, env.name = true, methodName(value)
		}
		return true
	})
	if !whole {
		bad = nil // mcp-go says what is wrong with it
	}
	return env, bad
}

// CalledTool is the name of the tool that a message calls, found in one pass without decoding. sure is false for whatever is no such
// call, and for one that readers of JSON could understand in different ways (a key twice, in other letters, with escapes).
func CalledTool(message []byte) (name string, sure bool) {
	var method, params []byte
	if known := rawjson.Members(message, func(key, value []byte) bool {
		switch keyBit(key) {
		case bitMethod:
			method, value = value, method
		case bitParams:
			params, value = value, params
		case bitVersion, bitID:
			value = nil
		}
		return value == nil
	}); !known || string(method) != `"tools/call"` {
		return "", false
	}
	var tool []byte
	known := rawjson.Members(params, func(key, value []byte) bool {
		switch string(key) {
		case "name":
			tool, value = value, tool
		case "arguments", "_meta":
			value = nil
		}
		return value == nil
	})
	if !known || len(tool) < 2 || tool[0] != '"' || bytes.IndexByte(tool, '\\') >= 0 {
		return "", false
	}
	return string(tool[1 : len(tool)-1]), true
}

// methodName is the text of a method without its quotes, for the few that the doors treat apart: none of theirs needs an escape. It does
// not allocate for any other.
func methodName(value []byte) string {
	if string(value) == `"`+listenMethod+`"` {
		return listenMethod
	}
	return ""
}

// invalidRequest is the line that answers a message which readEnvelope refused.
func invalidRequest(id json.RawMessage, err error) []byte {
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	msg, _ := json.Marshal(err.Error()) // a string always encodes
	return []byte(`{"jsonrpc":"2.0","id":` + string(id) + `,"error":{"code":-32600,"message":` + string(msg) + `}}` + "\n")
}

// The known keys by bit.
const (
	bitVersion = 1 << iota
	bitID
	bitMethod
	bitParams
	bitResult
	bitError
)

// keyBit is 0 for a key that JSON-RPC does not know. An escaped spelling of a known key counts as unknown: no client writes one.
func keyBit(key []byte) int {
	switch string(key) {
	case "jsonrpc":
		return bitVersion
	case "id":
		return bitID
	case "method":
		return bitMethod
	case "params":
		return bitParams
	case "result":
		return bitResult
	case "error":
		return bitError
	}
	return 0
}
