// Package buildinfo tells what this binary was built from.
package buildinfo

import (
	"runtime/debug"
	"sync"
)

// Info names a build.
type Info struct {
	Version   string `json:"version"`
	Commit    string `json:"commit"`
	GoVersion string `json:"go"`
}

// version is set by the linker in releases: -ldflags "-X .../internal/buildinfo.version=v1.2.3".
var version = ""

// Read tells what this binary was built from; what the toolchain did not record is "unknown".
var Read = sync.OnceValue(func() Info {
	out := Info{Version: version, Commit: "unknown", GoVersion: "unknown"}
	b, ok := debug.ReadBuildInfo()
	if ok {
		out.GoVersion = b.GoVersion
		if out.Version == "" {
			out.Version = b.Main.Version
		}
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				out.Commit = s.Value
			}
		}
	}
	if out.Version == "" || out.Version == "(devel)" {
		out.Version = "dev"
	}
	return out
})
