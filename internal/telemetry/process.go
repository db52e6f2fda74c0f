package telemetry

import (
	"bytes"
	"os"
	"runtime"
	"strconv"

	"github.com/proxmox-mcp/proxmox-mcp/internal/buildinfo"
)

// own sets what the process knows of itself. What the system does not tell is left out.
func (t *T) own(p Page) {
	b := buildinfo.Read()
	p.Set(BuildInfo, 1, b.Version, b.Commit, b.GoVersion)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.Set(Goroutines, float64(runtime.NumGoroutine()))
	p.Set(HeapBytes, float64(m.HeapAlloc))
	p.Set(SysBytes, float64(m.Sys))
	p.Set(Collections, float64(m.NumGC))
	p.Set(StartTime, float64(t.began.Unix()))
	if n, ok := residentPages(); ok {
		p.Set(ResidentBytes, float64(n*os.Getpagesize()))
	}
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		p.Set(OpenFiles, float64(len(files)))
	}
	if e := t.o.Traces; e != nil {
		p.Set(SpansSent, float64(e.sent.Load()))
		p.Set(SpansDropped, float64(e.dropped.Load()))
	}
}

// residentPages reads the second number of Linux's statm.
func residentPages() (int, bool) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, false
	}
	n, err := strconv.Atoi(string(fields[1]))
	return n, err == nil
}
