//go:build unix

package app

import (
	"os"
	"os/signal"
	"syscall"
)

// stopSignals are the signals that mean the emergency stop: SIGUSR1.
func stopSignals() (signals <-chan os.Signal, end func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	return c, func() { signal.Stop(c) }
}
