// Package buildinfo tells what this binary was built from.
package buildinfo

import (
	"runtime/debug"
	"sync"
)

// Info names a build.
type Info struct {
	Version   string `json:"version"`
	Commit    string `json:"commit"` // full hash, "-dirty" where files differed from it
	GoVersion string `json:"go"`
}

// version is set by the linker in releases: -ldflags "-X .../internal/buildinfo.version=v1.2.3".
var version = ""

// Read tells what this binary was built from; what the toolchain did not record is "unknown".
var Read = sync.OnceValue(func() Info {
	out := Info{Version: version, Commit: "unknown", GoVersion: "unknown"}
	if b, ok := debug.ReadBuildInfo(); ok {
		out.take(b)
	}
	if out.Version == "" || out.Version == "(devel)" {
		out.Version = "dev"
	}
	return out
})

// take adds what the toolchain recorded. A commit with changes on top of it is marked: it is not what was built.
func (i *Info) take(b *debug.BuildInfo) {
	i.GoVersion = b.GoVersion
	if i.Version == "" {
		i.Version = b.Main.Version
	}
	vcs := map[string]string{}
	for _, s := range b.Settings {
		vcs[s.Key] = s.Value
	}
	if vcs["vcs.revision"] == "" {
		return
	}
	i.Commit = vcs["vcs.revision"]
	if vcs["vcs.modified"] == "true" {
		i.Commit += "-dirty"
	}
}
