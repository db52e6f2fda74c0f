package terraform_test

import (
	"fmt"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
)

// thousand is a world of a thousand guests: those of the zoo over and over.
func thousand(t testing.TB) *iac.World {
	t.Helper()
	some, _ := zoo(t)
	w := &iac.World{Cluster: "many"}
	for i := range 1000 {
		g := some.Guests[i%len(some.Guests)]
		g.VMID, g.Name = 1000+i, fmt.Sprintf("%s-%d", g.Name, i)
		w.Guests = append(w.Guests, g)
	}
	w.Sort()
	return w
}

func BenchmarkEmit(b *testing.B) {
	w := thousand(b)
	for b.Loop() {
		emit(b, w)
	}
	b.ReportMetric(float64(b.N*len(w.Guests))/b.Elapsed().Seconds(), "guests/s")
}
