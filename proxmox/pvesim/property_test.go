package pvesim

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTablesAreRead(t *testing.T) {
	for _, err := range tables().failed {
		t.Error(err)
	}
	for name, p := range tables().patterns {
		if p.match() == nil {
			t.Errorf("pattern %s does not compile: %s", name, p.text)
		}
	}
}

// TestPropertyStrings: what is written differs from what was sent as in 03/010, 04/053, 05/042, 06/005 and 07/028.
func TestPropertyStrings(t *testing.T) {
	for _, tt := range []struct{ kind, key, sent, want string }{
		{"qemu", "net0", "bridge=vmbr0,rate=10,virtio=BC:24:11:00:00:01,link_down=on", "virtio=BC:24:11:00:00:01,bridge=vmbr0,link_down=1,rate=10"},
		{"qemu", "net31", "model=e1000,macaddr=BC:24:11:00:00:01", "e1000=BC:24:11:00:00:01"},
		{"qemu", "net0", "virtio", "virtio"},
		{"qemu", "scsi3", "media=cdrom,volume=second:iso/boot.iso,size=70144", "second:iso/boot.iso,media=cdrom,size=70144"},
		{"qemu", "scsi4", "local:102/vm-102-disk-5.raw,size=107374592", "local:102/vm-102-disk-5.raw,size=104858K"},
		{"qemu", "sata0", "ssd=yes,file=local:1/x.raw,size=4294967296", "local:1/x.raw,size=4G,ssd=1"},
		{"qemu", "agent", "1,guest-fsfreeze=0", "1,freeze-fs=0"},
		{"qemu", "memory", "current=512", "512"},
		{"lxc", "net0", "name=eth0,bridge=vmbr0,ip=10.1.1.5/24,gw=10.1.1.1,type=veth,firewall=1", "name=eth0,bridge=vmbr0,firewall=1,gw=10.1.1.1,ip=10.1.1.5/24,type=veth"},
		{"lxc", "mp1", "acl=1,mp=/two,ro=1,volume=second:200/x.raw,backup=1", "second:200/x.raw,mp=/two,acl=1,backup=1,ro=1"},
	} {
		o := propertyOf(tt.kind, tt.key)
		if o == nil {
			t.Errorf("%s %s is no property string", tt.kind, tt.key)
			continue
		}
		p, err := parseProperty(o, tt.key, tt.sent)
		if err != nil {
			t.Errorf("%s: %v", tt.sent, err)
		} else if got := printProperty(o, p); got != tt.want {
			t.Errorf("%s became %s, want %s", tt.sent, got, tt.want)
		}
	}
	for _, key := range []string{"net32", "net00", "scsi31", "cores", "bogus", "virtio16"} {
		if o := propertyOf("qemu", key); o != nil {
			t.Errorf("%s is a property string", key)
		}
	}
}

func TestPropertyErrors(t *testing.T) {
	for _, tt := range []struct{ key, sent, want string }{
		{"net0", "virtio,model=e1000", "duplicate key in comma-separated list property: model\n"},
		{"net0", "virtio=BC:24:11:00:00:01,e1000=BC:24:11:00:00:02", "key alias 'model' is already defined\n"},
		{"net0", "bridge=", "missing key in comma-separated list property\n"},
		{"net0", "e1000,virtio", "duplicate key in comma-separated list property: model\n"},
		{"spice_enhancements", "all", "value without key, but schema does not define a default key\n"},
		{"net0", "tag=5000,bogus=1", "format error\nnet0.bogus: " + textUnknown + "\nnet0.model: " + textMissing +
			"\nnet0.tag: value must have a maximum value of 4094\n"},
		{"agent", "yes", "format error\nagent.enabled: type check ('boolean') failed - got 'yes'\n"},
		{"scsi0", "bogus", "format error\nscsi0.file: invalid format - unable to parse volume ID 'bogus'\n\n"},
	} {
		if _, err := parseProperty(propertyOf("qemu", tt.key), tt.key, tt.sent); err == nil || err.Error() != tt.want {
			t.Errorf("%s=%s: %v, want %s", tt.key, tt.sent, err, tt.want)
		}
	}
}

// TestTyped: facts 26, 04/047, 07/028.
func TestTyped(t *testing.T) {
	for _, tt := range []struct {
		kind, key, value string
		want             any
	}{
		{"qemu", "memory", "512", "512"},
		{"lxc", "memory", "512", json.Number("512")},
		{"qemu", "cores", "+4", json.Number("4")},
		{"qemu", "onboot", "1", json.Number("1")},
		{"qemu", "agent", "1", "1"},
		{"qemu", "cpulimit", "0.5", "0.5"},
		{"lxc", "cpulimit", "2", "2"},
		{"qemu", "name", "1", "1"},
		{"lxc", "lxc.idmap", "1", "1"},
	} {
		if got := typed(tt.kind, tt.key, tt.value); got != tt.want {
			t.Errorf("%s %s %s became %v (%T)", tt.kind, tt.key, tt.value, got, got)
		}
	}
}

// TestRecordedConfigs: every option of every configuration that was ever read has the type that typed gives it, and
// each property string is written as printProperty writes it.
func TestRecordedConfigs(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared(t, "pve", "recordings"), "*", "[0-9]*.json"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var x struct {
			Request  struct{ Path string }
			Response struct{ JSON struct{ Data any } }
		}
		if err := decodeJSON(bytes.NewReader(raw), &x); err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(x.Request.Path, "/")
		if len(parts) < 6 || parts[len(parts)-1] != "config" {
			continue
		}
		kind := parts[3]
		config, _ := x.Response.JSON.Data.(Object)
		for key, v := range config {
			seen++
			if got := typed(kind, key, text(v)); got != v {
				t.Errorf("%s: %s %v became %v (%T)", file, key, v, got, got)
			}
			o := propertyOf(kind, key)
			if o == nil || text(v) == " " || strings.HasPrefix(key, "ipconfig") { // ipconfig stays as it was sent (03/010)
				continue
			}
			if p, err := parseProperty(o, key, text(v)); err != nil {
				t.Errorf("%s: %s: %v", file, key, err)
			} else if got := printProperty(o, p); got != v {
				t.Errorf("%s: %s %v became %s", file, key, v, got)
			}
		}
	}
	if seen < 500 {
		t.Errorf("%d options were seen", seen)
	}
}
