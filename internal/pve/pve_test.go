package pve

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseUPID(t *testing.T) {
	got, err := ParseUPID("UPID:pve1:000A1B2C:00D4E5F6:6A1B2C3D:qmstart:100:agent@pve!mcp:")
	want := UPID{Node: "pve1", Type: "qmstart", ID: "100", User: "agent@pve!mcp", PID: 0xA1B2C, Start: time.Unix(0x6A1B2C3D, 0).UTC()}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
	for name, s := range map[string]string{
		"empty":         "",
		"no task":       "hello",
		"too few":       "UPID:pve1:000A1B2C:00D4E5F6:6A1B2C3D:qmstart:100:",
		"no end":        "UPID:pve1:000A1B2C:00D4E5F6:6A1B2C3D:qmstart:100:root@pam",
		"not hex":       "UPID:pve1:000A1B2X:00D4E5F6:6A1B2C3D:qmstart:100:root@pam:",
		"far future":    "UPID:pve1:000A1B2C:00D4E5F6:FFFFFFFFFFF:qmstart:100:root@pam:",
		"no type":       "UPID:pve1:000A1B2C:00D4E5F6:6A1B2C3D::100:root@pam:",
		"no user":       "UPID:pve1:000A1B2C:00D4E5F6:6A1B2C3D:qmstart:100::",
		"path as node":  "UPID:../../x:000A1B2C:00D4E5F6:6A1B2C3D:qmstart:100:root@pam:",
		"slash in node": "UPID:a/b:000A1B2C:00D4E5F6:6A1B2C3D:qmstart:100:root@pam:",
		"line break":    "UPID:pve1:000A1B2C:00D4E5F6:6A1B2C3D:qmstart:1\n0:root@pam:",
		"too long":      "UPID:pve1:000A1B2C:00D4E5F6:6A1B2C3D:qmstart:" + strings.Repeat("9", 500) + ":root@pam:",
	} {
		if u, err := ParseUPID(s); err == nil {
			t.Errorf("%s: %q was taken: %+v", name, s, u)
		}
	}
}

func TestTaskHandle(t *testing.T) {
	a, b := TaskHandle("UPID:a"), TaskHandle("UPID:b")
	if a == b || a != TaskHandle("UPID:a") || len(a) != 10 || !strings.HasPrefix(a, "t-") {
		t.Errorf("handles %s and %s", a, b)
	}
}

func TestParseProperties(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want Properties
	}{
		"empty":           {"", nil},
		"blank parts":     {",,  ,", nil},
		"volume":          {"local:100/vm-100-disk-0.qcow2,size=1G", Properties{{"", "local:100/vm-100-disk-0.qcow2"}, {"size", "1G"}}},
		"equal in a path": {"/mnt/a=b,mp=/c", Properties{{"", "/mnt/a=b"}, {"mp", "/c"}}},
		"equal in value":  {"args=a=b", Properties{{"args", "a=b"}}},
		"nic":             {"virtio=BC:24:11:00:00:01,bridge=vmbr0", Properties{{"virtio", "BC:24:11:00:00:01"}, {"bridge", "vmbr0"}}},
		"quoted comma":    {`name="a,b",x=1`, Properties{{"name", "a,b"}, {"x", "1"}}},
		"quoted quote":    {`name="a\"b"`, Properties{{"name", `a"b`}}},
		"empty value":     {"cloudinit=,x=1", Properties{{"cloudinit", ""}, {"x", "1"}}},
		"quote inside":    {`x=5"y"`, Properties{{"x", `5"y"`}}},
	} {
		got, err := ParseProperties(c.in)
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, d)
		}
	}
	if p, err := ParseProperties(`a="b`); err == nil {
		t.Errorf("an unclosed quote was taken: %v", p)
	}
	if _, ok := (Properties{{"a", "1"}}).Get("b"); ok {
		t.Error("Get found what is not there")
	}
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{"0": 0, "4194304": 4 << 20, "528K": 528 << 10, "256M": 256 << 20, "32G": 32 << 30, "1.5T": 3 << 39,
		"9007199254740993": 9007199254740993, "0.5G": 1 << 29} {
		if got, ok := ParseSize(in); !ok || got != want {
			t.Errorf("%s = %d, %t, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "G", "-1G", "1 G", "1g", "1P", "1e3", "99999999999T", "9223372036854775808", "1.", "NaN"} {
		if got, ok := ParseSize(in); ok {
			t.Errorf("%q was taken for %d", in, got)
		}
	}
}

func TestParseVolume(t *testing.T) {
	for in, want := range map[string]Volume{"local:100/vm-100-disk-0.qcow2": {"local", "100/vm-100-disk-0.qcow2"}, "nas:iso/a:b.iso": {"nas", "iso/a:b.iso"}} {
		if got, ok := ParseVolume(in); !ok || got != want || got.String() != in {
			t.Errorf("%q = %v, %t", in, got, ok)
		}
	}
	for _, in := range []string{"", "none", "/dev/sdb", "/mnt/x:y", "local:", ":x", "../x:y", "a b:c"} {
		if got, ok := ParseVolume(in); ok {
			t.Errorf("%q was taken for %v", in, got)
		}
	}
}

func TestOddDevices(t *testing.T) {
	c := Config{"scsi0": `local:x,serial="open`, "scsi1": "", "scsi10": "local:y,size=1G", "scsi2": "none,media=cdrom", "scsihw": "virtio-scsi-pci",
		"virtiofs0": "share", "net0": `virtio="open`, "net1": "e1000,bridge=vmbr1", "net2": "model=virtio,macaddr=BC:24:11:00:00:02,tag=7,firewall=1",
		"ipconfig2": "ip=192.0.2.5/24,ip6=auto", "mp0": "/mnt/x,mp=/data,backup=0", "rootfs": "volume=local:z,size=8G"}
	disks := []Disk{
		{Slot: "mp0", Source: "/mnt/x", Mount: "/data", Backup: Ptr(false)},
		{Slot: "rootfs", Source: "local:z", Storage: "local", Size: 8 << 30, Mount: "/"},
		{Slot: "scsi0", Source: `local:x,serial="open`},
		{Slot: "scsi1"},
		{Slot: "scsi2", Source: "none", CDROM: true},
		{Slot: "scsi10", Source: "local:y", Storage: "local", Size: 1 << 30},
	}
	if d := cmp.Diff(disks, c.Disks()); d != "" {
		t.Error(d)
	}
	nics := []NIC{{Slot: "net0"}, {Slot: "net1", Model: "e1000", Bridge: "vmbr1"},
		{Slot: "net2", Model: "virtio", MAC: "BC:24:11:00:00:02", VLAN: "7", Firewall: true, IP: "192.0.2.5/24", IP6: "auto"}}
	if d := cmp.Diff(nics, c.NICs()); d != "" {
		t.Error(d)
	}
}

func TestConfigAccess(t *testing.T) {
	c, err := DecodeConfig([]byte(`{"n":5,"s":"5","b":true,"f":"no","big":12345678901234567890,"x":{"y":1},"on":"1"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := []string{c.Str("n"), c.Str("s"), c.Str("b"), c.Str("big"), c.Str("x"), c.Str("absent")}; !slices.Equal(got, []string{"5", "5", "1", "12345678901234567890", "", ""}) {
		t.Errorf("texts %q", got)
	}
	if n, ok := c.Int("s"); n != 5 || !ok {
		t.Errorf("s = %d, %t", n, ok)
	}
	if _, ok := c.Int("absent"); ok {
		t.Error("an absent number is 0")
	}
	if !c.Bool("b") || !c.Bool("on") || c.Bool("f") || c.Bool("absent") || !c.Has("x") || c.Has("absent") {
		t.Error("booleans or presence are wrong")
	}
	if got, want := string(c.Canonical()), `{"b":true,"big":12345678901234567890,"f":"no","n":5,"on":"1","s":"5","x":{"y":1}}`; got != want {
		t.Errorf("canonical %s", got)
	}
	if Hash([]byte("abc")) != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Error("the hash is not SHA-256 in hexadecimal")
	}
	for _, raw := range []string{"", "null", "[]", `"x"`, `{"a":1`, `{"a":1} x`, `{"a":1}{}`} {
		if c, err := DecodeConfig([]byte(raw)); err == nil {
			t.Errorf("%s was taken: %v", raw, c)
		}
	}
}

func TestKeys(t *testing.T) {
	c := Config{}
	want := []string{"agent", "net0", "net2", "net02", "net10", "net9223372036854775807", "name"}
	for _, k := range want {
		c[k] = ""
	}
	slices.SortFunc(want, CompareKeys)
	if d := cmp.Diff([]string{"agent", "name", "net0", "net02", "net2", "net10", "net9223372036854775807"}, want); d != "" {
		t.Error(d)
	}
	for range 20 {
		if d := cmp.Diff(want, c.Keys()); d != "" {
			t.Fatal(d)
		}
	}
}

func TestSplitTags(t *testing.T) {
	for in, want := range map[string][]string{"": nil, " ; ": nil, "a;b": {"a", "b"}, "a,b c\td": {"a", "b", "c", "d"}} {
		if d := cmp.Diff(want, SplitTags(in)); d != "" && len(want)+len(SplitTags(in)) > 0 {
			t.Errorf("%q: %s", in, d)
		}
	}
}

func TestScalars(t *testing.T) {
	type row struct {
		I *Int
		F *Float
		B *Bool
		T Text
	}
	for in, want := range map[string]row{
		`{}`:                                    {},
		`{"I":null,"F":null,"B":null,"T":null}`: {},
		`{"I":1,"F":0.5,"B":1,"T":"x"}`:         {Ptr(Int(1)), Ptr(Float(0.5)), Ptr(Bool(true)), "x"},
		`{"I":"7","F":"0.5","B":"0","T":12}`:    {Ptr(Int(7)), Ptr(Float(0.5)), Ptr(Bool(false)), "12"},
		`{"I":2.0,"F":3,"B":true,"T":true}`:     {Ptr(Int(2)), Ptr(Float(3)), Ptr(Bool(true)), "true"},
		`{"I":true,"B":"yes"}`:                  {I: Ptr(Int(1)), B: Ptr(Bool(true))},
		`{"I":9223372036854775807,"B":1.0}`:     {I: Ptr(Int(9223372036854775807)), B: Ptr(Bool(true))},
	} {
		var got row
		err := json.Unmarshal([]byte(in), &got)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v %s", in, err, d)
		}
	}
	for _, in := range []string{`{"I":1.5}`, `{"I":"x"}`, `{"I":[1]}`, `{"I":1e30}`, `{"I":9223372036854775808}`, `{"F":"NaN"}`, `{"F":"Inf"}`, `{"F":{}}`,
		`{"B":2}`, `{"B":"maybe"}`, `{"B":[]}`, `{"T":{}}`, `{"T":[1]}`} {
		var got row
		if err := json.Unmarshal([]byte(in), &got); err == nil {
			t.Errorf("%s was taken: %+v", in, got)
		}
	}
}

func TestDecodeRows(t *testing.T) {
	rows, odd, err := DecodeRows[Resource](json.RawMessage(`[{"id":"qemu/1","vmid":"1"},{"id":"qemu/2","vmid":{}},{"id":"qemu/3","vmid":3}]`))
	if err != nil || len(rows) != 2 || rows[1].VMID != 3 || len(odd) != 1 || !strings.Contains(odd[0].Error(), "row 1") {
		t.Errorf("rows %v, odd %v, %v", rows, odd, err)
	}
	if _, _, err := DecodeRows[Resource](json.RawMessage(`null`)); !errors.Is(err, ErrNullList) {
		t.Errorf("null list: %v", err)
	}
	if _, _, err := DecodeRows[Resource](json.RawMessage(`{"id":"x"}`)); err == nil {
		t.Error("an object was taken for a list")
	}
	if rows, _, err := DecodeRows[Resource](json.RawMessage(`[]`)); err != nil || rows == nil {
		t.Errorf("empty list: %v, %v", rows, err)
	}
}

func TestWords(t *testing.T) {
	for v, want := range map[string]int{"9.2.11": 9, "8.4": 8, "10": 10, "": 0, "x.1": 0} {
		if got := (Version{Version: v}).Major(); got != want {
			t.Errorf("major of %q = %d", v, got)
		}
	}
	if Qemu.Short() != "vm" || LXC.Short() != "ct" || !(&Resource{Type: "lxc"}).IsGuest() || (&Resource{Type: "node"}).IsGuest() {
		t.Error("guest types")
	}
	if !(&TaskStatus{Status: "running"}).Running() || (&TaskStatus{Status: "stopped"}).Running() {
		t.Error("task states")
	}
	for name, want := range map[string]bool{"pve1": true, "pve-1.lan": true, "": false, ".": false, "..": false, "-x": false, "a/b": false, "a b": false,
		"a%2fb": false, strings.Repeat("a", 101): false} {
		if ValidName(name) != want {
			t.Errorf("ValidName(%q) = %t", name, !want)
		}
	}
}
