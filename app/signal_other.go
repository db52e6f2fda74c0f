//go:build !unix

package app

import "os"

// stopSignals are none: this system has no signal to spare. The file and the command do the same.
func stopSignals() (signals <-chan os.Signal, end func()) { return nil, func() {} }
