package tools

import (
	"context"
	"strings"
	"testing"
	"time"
)

// provenOnly answers which backups were seen to restore, and nothing else.
type provenOnly struct {
	Changes
	list map[string]time.Time
}

func (p provenOnly) Proven(_ context.Context, cluster string) (map[string]time.Time, error) {
	if cluster != "lab" {
		return nil, nil
	}
	return p.list, nil
}

// TestBackupsProven: a guest's line tells its last proven restore, a backup's line its own; JSON has the time, null for none.
func TestBackupsProven(t *testing.T) {
	f := &fake{fakePlaces: somePlaces()}
	d := deps(f)
	older := f.backups.Guests[2].Backups[1]
	d.Changes = provenOnly{list: map[string]time.Time{older.Volume: now.Add(-72 * time.Hour), "nas:backup/of-another.vma": now}}
	s, err := Find("list_backups")
	if err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{`{}`: "a verification failed; proven to restore 3d ago", `{"guest":"104"}`: "verified ok,proven to restore 3d ago,protected"} {
		res, err := s.Call(t.Context(), d, []byte(args))
		if err != nil {
			t.Fatal(err)
		}
		text := res.Answer.View(d).Compact()
		if strings.Count(text, "proven to restore") != strings.Count(args, "guest")+1 || !strings.Contains(text, want) {
			t.Errorf("%s: %s", args, text)
		}
	}
}
