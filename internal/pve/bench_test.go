package pve

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// BenchmarkDecodeRows decodes cluster/resources of 1,000 guests, which a reader of an empty store waits for.
func BenchmarkDecodeRows(b *testing.B) {
	var rows []string
	for i := range 1000 {
		rows = append(rows, fmt.Sprintf(`{"netin":9012345,"maxcpu":4,"vmid":%d,"name":"web-%d","mem":1073741824,"template":0,"maxdisk":34359738368,"tags":"prod;web","memhost":0,"type":"qemu","status":"running","disk":0,"uptime":86400,"id":"qemu/%d","maxmem":4294967296,"netout":812345,"diskwrite":12345678,"cpu":0.0712345678901234,"node":"node01","diskread":987654321}`, 1000+i, i, 1000+i))
	}
	raw := json.RawMessage("[" + strings.Join(rows, ",") + "]")
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		got, odd, err := DecodeRows[Resource](raw)
		if err != nil || len(odd) > 0 || len(got) != 1000 {
			b.Fatal(err, odd)
		}
	}
}
