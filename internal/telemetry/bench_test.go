package telemetry

import (
	"log/slog"
	"testing"
	"time"
)

// BenchmarkOperation is what a call costs: a slow-call log alone, as every server has it, and with metrics.
func BenchmarkOperation(b *testing.B) {
	for name, o := range map[string]Options{"slow": {Log: slog.New(slog.DiscardHandler), SlowTool: time.Second}, "metrics": {Metrics: true}} {
		b.Run(name, func(b *testing.B) {
			m := New(o)
			for b.Loop() {
				_, op := m.Operation(b.Context(), "tools/call")
				op.Tool("get_guest", "local:1")
				op.End()
			}
		})
	}
}
