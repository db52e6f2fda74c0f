package logfile

import (
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the file for this process until it is closed; false when another one has it.
func lock(f *os.File) bool {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped)) == nil
}
