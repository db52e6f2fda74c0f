package pgtest

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// nobody is the user without rights, for machines without one of PostgreSQL's own.
const nobody = 65534

// serverUser says as whom the server runs: it refuses root, who therefore hands it the folder and runs it as PostgreSQL's user. The
// kernel ends the server with the thread that started it, so that a killed test leaves none behind.
func serverUser(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	id := uint32(nobody)
	if u, err := user.Lookup("postgres"); err == nil {
		if n, err := strconv.ParseUint(u.Uid, 10, 32); err == nil {
			id = uint32(n)
		}
	}
	attr.Credential = &syscall.Credential{Uid: id, Gid: id, NoSetGroups: true}
	return attr, os.Chown(dir, int(id), int(id))
}
