package app

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// heapRoom is what Go's memory may come to before the collector works harder: the first sync of 10,000 guests then stays below the 128 MB
	// of DESIGN §10, with the program's own pages and the database's cache beside it.
	heapRoom = 80 << 20
	// heapTimes is how many times its live heap a server may take where that is more: a collector that is held to less never rests.
	heapTimes = 3
	// restRoom is how much Go's memory may keep between syncs; more goes back to the system. Clusters below some thousand guests never come to it.
	restRoom = 20 << 20
)

// boundHeap sets the soft limit of Go's memory, unless the user has set one (GOMEMLIMIT).
func boundHeap(live uint64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(max(heapRoom, heapTimes*int64(min(live, 1<<40)))) //nolint:gosec // bounded
	}
}

// giveBack returns to the system what a sync needed and the server does not until the next one.
func giveBack() {
	if figure("/memory/classes/total:bytes")-figure("/memory/classes/heap/released:bytes") <= restRoom {
		return
	}
	debug.FreeOSMemory()
	boundHeap(figure("/gc/heap/live:bytes"))
}

// figure is one of the runtime's own, 0 when it has no such one.
func figure(name string) uint64 {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64()
}
