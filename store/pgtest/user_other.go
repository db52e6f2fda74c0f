//go:build !linux

package pgtest

import "syscall"

// serverUser leaves the server to the user who tests.
func serverUser(string) (*syscall.SysProcAttr, error) { return nil, nil }
