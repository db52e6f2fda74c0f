//go:build unix

package logfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock takes the file for this process until it is closed; false when another one has it.
func lock(f *os.File) bool {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil //nolint:gosec // a descriptor fits
}
