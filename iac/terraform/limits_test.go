package terraform_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/limits"
)

const (
	// slowestExport is 2,000 guests per second and core, over a thousand of them.
	slowestExport = 500 * time.Millisecond
	exportRounds  = 8 // a limit counts as met when one of a few rounds meets it: noise only adds
)

// TestLimitTerraformExport writes the code of a thousand guests on one core.
func TestLimitTerraformExport(t *testing.T) {
	limits.Timed(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w := thousand(t)
	best := time.Hour
	for range exportRounds {
		start := time.Now()
		emit(t, w)
		best = min(best, time.Since(start))
	}
	limits.Report(t, limits.Row{Name: "Terraform code of 1,000 guests", Measured: fmt.Sprintf("%.0f guests/s/core", 1000/best.Seconds()), Reference: "-",
		Value: float64(best.Milliseconds()), Limit: float64(slowestExport.Milliseconds())})
}
