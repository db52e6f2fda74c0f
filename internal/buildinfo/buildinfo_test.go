package buildinfo

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTake(t *testing.T) {
	build := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: version}, Settings: settings}
	}
	revision, modified := debug.BuildSetting{Key: "vcs.revision", Value: "b755304"}, debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for name, c := range map[string]struct {
		linked string
		build  *debug.BuildInfo
		want   Info
	}{
		"release":       {"v1.2.3", build("(devel)", revision), Info{"v1.2.3", "b755304", "go1.26.8"}},
		"go install":    {"", build("v1.2.3"), Info{"v1.2.3", "unknown", "go1.26.8"}},
		"changed files": {"", build("v0.0.1", revision, modified), Info{"v0.0.1", "b755304-dirty", "go1.26.8"}},
		"no repository": {"", build("(devel)", modified), Info{"(devel)", "unknown", "go1.26.8"}},
	} {
		got := Info{Version: c.linked, Commit: "unknown", GoVersion: "unknown"}
		got.take(c.build)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestRead(t *testing.T) {
	if got := Read(); got.Version != "dev" || got.GoVersion != runtime.Version() || got.Commit == "" {
		t.Errorf("a test binary is %+v", got)
	}
}
