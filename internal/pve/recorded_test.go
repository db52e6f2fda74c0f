package pve

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The keys that hold disks and network interfaces, told apart from the code under test.
var (
	diskSlots = regexp.MustCompile(`^(?:(?:scsi|virtio|ide|sata|efidisk|tpmstate|mp|unused)[0-9]+|rootfs)$`)
	nicSlots  = regexp.MustCompile(`^net[0-9]+$`)
)

// TestRecordedConfigs decodes every configuration that the real API showed: each disk and interface has its entry, sizes and
// addresses are read, and nothing is lost.
func TestRecordedConfigs(t *testing.T) {
	all := recordedConfigs(t)
	var disks, nics, sized int
	for name, raw := range all {
		c, err := DecodeConfig(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var slots []string
		for key := range c {
			if diskSlots.MatchString(key) {
				slots = append(slots, key)
			}
		}
		var got []string
		for _, d := range c.Disks() {
			got = append(got, d.Slot)
			checkDisk(t, name, c, d)
			if d.Size > 0 {
				sized++
			}
		}
		slices.SortFunc(slots, CompareKeys)
		if d := cmp.Diff(slots, got); d != "" {
			t.Errorf("%s: disks (-configured +decoded)\n%s", name, d)
		}
		disks += len(got)
		nics += checkNICs(t, name, c)
		checkLossless(t, name, raw, c)
	}
	// The order of magnitude, so that a folder that was not found cannot pass.
	if len(all) < 300 || disks < 500 || nics < 150 || sized < 300 {
		t.Errorf("only %d configurations, %d disks (%d with a size), %d interfaces", len(all), disks, sized, nics)
	}
	t.Logf("%d configurations, %d disks (%d with a size), %d interfaces", len(all), disks, sized, nics)
}

func checkDisk(t *testing.T, name string, c Config, d Disk) {
	t.Helper()
	value := c.Str(d.Slot)
	first, _, _ := strings.Cut(value, ",")
	if d.Source != first && d.Source != strings.TrimPrefix(strings.TrimPrefix(first, "file="), "volume=") {
		t.Errorf("%s %s: source %q of %q", name, d.Slot, d.Source, value)
	}
	storage, _, isVolume := strings.Cut(d.Source, ":")
	if isVolume != (d.Storage != "") || (isVolume && d.Storage != storage) {
		t.Errorf("%s %s: storage %q of %q", name, d.Slot, d.Storage, value)
	}
	if strings.Contains(value, ",size=") != (d.Size > 0) && !strings.Contains(value, ",size=0") {
		t.Errorf("%s %s: size %d of %q", name, d.Slot, d.Size, value)
	}
	if d.CDROM != strings.Contains(value, "media=cdrom") {
		t.Errorf("%s %s: cdrom %t of %q", name, d.Slot, d.CDROM, value)
	}
	if (d.Mount != "") != (d.Slot == "rootfs" || strings.HasPrefix(d.Slot, "mp")) {
		t.Errorf("%s %s: mount %q of %q", name, d.Slot, d.Mount, value)
	}
}

func checkNICs(t *testing.T, name string, c Config) int {
	t.Helper()
	want := 0
	for key := range c {
		if nicSlots.MatchString(key) {
			want++
		}
	}
	nics := c.NICs()
	if len(nics) != want {
		t.Errorf("%s: %d interfaces of %d", name, len(nics), want)
	}
	for _, n := range nics {
		value := c.Str(n.Slot)
		if !strings.Contains(value, n.MAC) || len(n.MAC) != len("BC:24:11:00:00:00") {
			t.Errorf("%s %s: address %q of %q", name, n.Slot, n.MAC, value)
		}
		for key, got := range map[string]string{"bridge=": n.Bridge, "tag=": n.VLAN, "name=": n.Name} {
			if strings.Contains(","+value, ","+key) != (got != "") || !strings.Contains(","+value+",", ","+key+got+",") && got != "" {
				t.Errorf("%s %s: %s%q of %q", name, n.Slot, key, got, value)
			}
		}
		if strings.HasPrefix(value, "virtio=") && n.Model != "virtio" {
			t.Errorf("%s %s: model %q of %q", name, n.Slot, n.Model, value)
		}
	}
	return want
}

// checkLossless compares the canonical form with what was sent, as JSON values with numbers as they were spelt.
func checkLossless(t *testing.T, name string, raw json.RawMessage, c Config) {
	t.Helper()
	again, err := DecodeConfig(c.Canonical())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	sent, err := DecodeConfig(raw)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if d := cmp.Diff(sent, again); d != "" {
		t.Errorf("%s: canonical form (-sent +canonical)\n%s", name, d)
	}
}

// TestRecordedPropertyStrings takes each property string of all configurations apart and puts it together again.
func TestRecordedPropertyStrings(t *testing.T) {
	count := 0
	for name, raw := range recordedConfigs(t) {
		c, err := DecodeConfig(raw)
		if err != nil {
			t.Fatal(err)
		}
		for key := range c {
			value := c.Str(key)
			if key == "description" || key == "sshkeys" || !strings.Contains(value, "=") {
				continue
			}
			p, err := ParseProperties(value)
			if err != nil {
				t.Errorf("%s %s: %v", name, key, err)
				continue
			}
			if got := p.join(); got != value {
				t.Errorf("%s %s: %q became %q", name, key, value, got)
			}
			count++
		}
	}
	if count < 500 {
		t.Errorf("only %d property strings", count)
	}
}

// join writes properties without quoting: what they were parsed from, where that had none.
func (p Properties) join() string {
	parts := make([]string, len(p))
	for i, e := range p {
		parts[i] = e.Value
		if e.Key != "" {
			parts[i] = e.Key + "=" + e.Value
		}
	}
	return strings.Join(parts, ",")
}

var upidForm = regexp.MustCompile(`UPID:[^:"\s]+:[^"\s]+?:[^:"\s]*@[^:"\s]*:`)

// TestRecordedUPIDs parses every task id of the starting world's tasks.
func TestRecordedUPIDs(t *testing.T) {
	seen := map[string]bool{}
	for _, path := range shared(t, "pve", "recordings", "*", "world.json") {
		var w struct {
			Nodes []struct {
				Tasks []TaskRow `json:"tasks"`
			} `json:"nodes"`
			Cluster struct {
				Tasks []TaskRow `json:"tasks"`
			} `json:"cluster"`
		}
		readJSON(t, path, &w)
		rows := w.Cluster.Tasks
		for _, n := range w.Nodes {
			rows = append(rows, n.Tasks...)
		}
		for _, r := range rows {
			seen[r.UPID] = true
			checkUPID(t, r)
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d task ids", len(seen))
	}
}

// checkUPID compares a parsed task id with the columns that the task list shows beside it.
func checkUPID(t *testing.T, r TaskRow) {
	t.Helper()
	u, err := ParseUPID(r.UPID)
	if err != nil {
		t.Error(err)
		return
	}
	user := string(r.User)
	if r.TokenID != "" {
		user += "!" + string(r.TokenID)
	}
	want := UPID{Node: string(r.Node), Type: string(r.Type), ID: string(r.ID), User: user, PID: u.PID, Start: u.Start}
	if d := cmp.Diff(want, u); d != "" || u.Start.Unix() != int64(r.StartTime) {
		t.Errorf("%s (started %d): %s", r.UPID, r.StartTime, d)
	}
	if !upidForm.MatchString(r.UPID) {
		t.Errorf("%s does not look like a task id", r.UPID)
	}
}
