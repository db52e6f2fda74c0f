// Command refdocs writes the manual pages and the completion scripts, for packages: go run ./cli/refdocs MAN-DIR COMPLETIONS-DIR.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: refdocs MAN-DIR COMPLETIONS-DIR")
	}
	completions, err := cli.Completions()
	if err != nil {
		return err
	}
	for k, files := range []map[string]string{cli.Manuals(), completions} {
		if err := os.MkdirAll(args[k], 0o755); err != nil { //nolint:gosec // pages are for everybody
			return err
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(args[k], name), []byte(text), 0o644); err != nil { //nolint:gosec // see above
				return err
			}
		}
	}
	return nil
}
