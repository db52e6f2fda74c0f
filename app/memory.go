package app

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
)

const (
	// heapRoom is what Go's memory may come to before the collector works harder: the first sync of 10,000 guests then stays below the 128 MB
	// of DESIGN §10, with the program's own pages and the database's cache beside it.
	heapRoom = 80 << 20
	// heapTimes is how many times its live heap a server may take where that is more: a collector that is held to less never rests.
	heapTimes = 3
	// restRoom is how much Go's memory may keep between syncs; more goes back to the system. Clusters below some thousand guests never come to
	// it unless somebody asks much.
	restRoom = 20 << 20
	// leastPace is the collector's percentage where what lives leaves no room in that: the memory at rest of 10,000 guests stays near what lives.
	leastPace = 45
	// firstLive is what lives before anything is known of a cluster.
	firstLive = 4 << 20
)

// boundHeap sets the soft limit of Go's memory, unless the user has set one (GOMEMLIMIT).
func boundHeap(live uint64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(max(heapRoom, heapTimes*int64(min(live, 1<<40)))) //nolint:gosec // bounded
	}
}

// rested keeps the collector from running until its result is called: what a start allocates would make it run once just before the
// first answer, and it is a tenth of the time to that.
func (a *App) rested() (resume func()) {
	percent := a.Collector
	if percent == 0 { // main has set it aside already where it is not: each change stops the program for a moment
		percent = debug.SetGCPercent(-1)
	}
	return sync.OnceFunc(func() {
		boundHeap(0)
		if os.Getenv("GOGC") == "" {
			percent = pace(firstLive)
		}
		debug.SetGCPercent(percent)
	})
}

// pace is the collector's percentage for a heap of which live bytes live: it runs when the heap comes to restRoom, which may be kept anyhow. A
// collection marks all that lives and cuts the stacks of idle connections, so that few of them make many calls cheaper (TestLimitHTTP).
func pace(live uint64) int {
	return max(leastPace, int(100*(max(restRoom, live)-live)/max(live, 1<<20))) //nolint:gosec // at most 2,000
}

// giveBack returns to the system what a sync needed and the server does not until the next one, and sets the collector's pace for what
// lives now, unless the user has set one (GOGC).
func giveBack() {
	// Package runtime/metrics tells the same without stopping anything, but costs each start 0.1 ms.
	var m runtime.MemStats
	if runtime.ReadMemStats(&m); m.Sys-m.HeapReleased <= restRoom {
		return
	}
	debug.FreeOSMemory()
	runtime.ReadMemStats(&m)
	boundHeap(m.HeapAlloc)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(pace(m.HeapAlloc))
	}
}
