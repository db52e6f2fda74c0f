package replay

import (
	"encoding/json"
	"fmt"
	"regexp"
)

// rules replace what differs between two runs of the same thing, in this order (README of the recordings, 6).
var rules = []struct {
	find *regexp.Regexp
	put  string
}{
	{regexp.MustCompile(`UPID:([^:]+):[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8}:`), "UPID:$1:P:S:T:"},
	{regexp.MustCompile(`(?i)\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b`), "MAC"},
	{regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "UUID"},
	{regexp.MustCompile(`\b([0-9a-f]{64}|[0-9a-f]{40})\b`), "HASH"},
	{regexp.MustCompile(`\d{4}[-_]\d\d[-_]\d\d[ T_-]\d\d[:_]\d\d[:_]\d\dZ?`), "DATE"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`), "TIME"},
	{regexp.MustCompile(`\b(1[5-9]|20)\d{8}\b`), "UNIX"},
	{regexp.MustCompile(`\b(pid|worker|process)([ =:]+)\d+`), "$1${2}N"},
	{regexp.MustCompile(`\b\d+(\.\d+)?( ?)([KMGT]iB(/s)?|[KMGT]B(/s)?|B/s|s|sec|secs|seconds|ms|bytes)\b`), "N$2$3"},
	{regexp.MustCompile(`/tmp/[^\s'"]+`), "/tmp/FILE"},
}

func normalise(s string) string {
	for _, r := range rules {
		s = r.find.ReplaceAllString(s, r.put)
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
