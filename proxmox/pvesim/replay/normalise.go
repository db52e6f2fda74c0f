package replay

import (
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// rules replace what differs between two runs of the same thing, in this order (README of the recordings, 6).
var rules = []struct {
	find func() *regexp.Regexp
	put  string
}{
	{lazy.Regexp(`UPID:([^:]+):[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8}:`), "UPID:$1:P:S:T:"},
	{lazy.Regexp(`(?i)\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b`), "MAC"},
	{lazy.Regexp(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "UUID"},
	{lazy.Regexp(`\b([0-9a-f]{64}|[0-9a-f]{40})\b`), "HASH"},
	{lazy.Regexp(`\d{4}[-_]\d\d[-_]\d\d[ T_-]\d\d[:_]\d\d[:_]\d\dZ?`), "DATE"},
	{lazy.Regexp(`\b\d\d:\d\d:\d\d\b`), "TIME"},
	{lazy.Regexp(`\b(1[5-9]|20)\d{8}\b`), "UNIX"},
	{lazy.Regexp(`\b(pid|worker|process)([ =:]+)\d+`), "$1${2}N"},
	{lazy.Regexp(`\b\d+(\.\d+)?( ?)([KMGT]iB(/s)?|[KMGT]B(/s)?|B/s|s|sec|secs|seconds|ms|bytes)\b`), "N$2$3"},
	{lazy.Regexp(`/tmp/[^\s'"]+`), "/tmp/FILE"},
}

func normalise(s string) string {
	for _, r := range rules {
		s = r.find().ReplaceAllString(s, r.put)
	}
	return s
}

// scalar gives a value as text for sorting and comparing.
func scalar(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return fmt.Sprint(v)
}
