package pve

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzUPID(f *testing.F) {
	f.Add("UPID:pve1:000A1B2C:00D4E5F6:6A1B2C3D:qmstart:100:root@pam:")
	f.Add("UPID:pve1:0:0:0:vzdump::root@pam!mcp:")
	f.Add("UPID:pve1:0:0:0:x:a:b:root@pam:")
	f.Add("UPID::::::::")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseUPID(s)
		if err != nil {
			if len(err.Error()) > 600 {
				t.Errorf("the error is %d bytes long", len(err.Error()))
			}
			return
		}
		// What was read stands in the text, in order, and nothing of it can leave a request path or a log line.
		if !strings.HasPrefix(s, "UPID:"+u.Node+":") || !strings.HasSuffix(s, ":"+u.Type+":"+u.ID+":"+u.User+":") {
			t.Errorf("%q became %+v", s, u)
		}
		if !ValidName(u.Node) || u.Type == "" || u.User == "" || strings.ContainsAny(s, "\n\r\t \x00") || u.Start.Unix() < 0 {
			t.Errorf("%q was taken: %+v", s, u)
		}
	})
}

func FuzzProperties(f *testing.F) {
	for _, s := range []string{"local:100/vm-100-disk-0.qcow2,size=1G", "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1", `name="a,b\"c",x=1`, `"`, ",=,", "a==b,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseProperties(s)
		if err != nil {
			return
		}
		plain := !strings.ContainsAny(s, `"\`)
		for _, e := range p {
			if plain && (strings.Contains(e.Value, ",") || !strings.Contains(s, e.Value)) {
				t.Errorf("%q holds the value %q", s, e.Value)
			}
			if strings.ContainsAny(e.Key, "=,/:\"") {
				t.Errorf("%q holds the key %q", s, e.Key)
			}
		}
		if !plain {
			return
		}
		again, err := ParseProperties(p.join())
		if d := cmp.Diff(p, again); err == nil && d != "" && !strings.Contains(s, "=") {
			t.Errorf("%q is read differently when written again: %s", s, d)
		}
	})
}

func FuzzScalars(f *testing.F) {
	for _, s := range []string{`1`, `"1"`, `1.0`, `true`, `null`, `"yes"`, `-0`, `1e3`, `""`, `"0x1p4"`, `{}`, `9223372036854775807`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !json.Valid([]byte(s)) {
			return
		}
		i, f, b, text := decoded[Int](s), decoded[Float](s), decoded[Bool](s), decoded[Text](s)
		if f != nil && (math.IsNaN(float64(*f)) || math.IsInf(float64(*f), 0)) {
			t.Errorf("%s is the number %v", s, *f)
		}
		if i != nil && f != nil && math.Abs(float64(*i)-float64(*f)) > math.Abs(float64(*f))*1e-15 {
			t.Errorf("%s is the integer %d and the number %v", s, *i, *f)
		}
		if b != nil && i != nil && bool(*b) != (*i != 0) {
			t.Errorf("%s is %t and %d", s, *b, *i)
		}
		if plain := decoded[string](s); plain != nil && (text == nil || string(*text) != *plain) {
			t.Errorf("%s is the text %v", s, text)
		}
	})
}

// decoded reads one JSON value; nil where it is null or of no use as a T.
func decoded[T any](s string) *T {
	var v *T
	if json.Unmarshal([]byte(s), &v) != nil {
		return nil
	}
	return v
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"scsi0":"local:100/vm-100-disk-0.qcow2,size=1G","net0":"virtio=BC:24:11:00:00:01,bridge=vmbr0","ipconfig0":"ip=dhcp","digest":"x"}`))
	f.Add([]byte(`{"rootfs":"local:762/vm-762-disk-0.raw,size=1G","mp0":"/mnt/x,mp=/y","net0":"name=eth0,hwaddr=BC:24:11:00:00:01","onboot":1}`))
	f.Add([]byte(`{"scsi0":"\"","net0":1e400,"a":[{}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := DecodeConfig(raw)
		if err != nil {
			return
		}
		disks, nics := 0, 0
		for k := range c {
			if diskSlots.MatchString(k) {
				disks++
			}
			if nicSlots.MatchString(k) {
				nics++
			}
		}
		if got := c.Disks(); len(got) != disks {
			t.Errorf("%d disks of %d: %+v", len(got), disks, got)
		}
		if got := c.NICs(); len(got) != nics {
			t.Errorf("%d interfaces of %d: %+v", len(got), nics, got)
		}
		for _, d := range c.Disks() {
			if d.Size < 0 {
				t.Errorf("size %d of %q", d.Size, c.Str(d.Slot))
			}
		}
		again, err := DecodeConfig(c.Canonical())
		if err != nil || string(again.Canonical()) != string(c.Canonical()) || Hash(again.Canonical()) != Hash(c.Canonical()) {
			t.Errorf("%s has the canonical form %s, then %s, %v", raw, c.Canonical(), again.Canonical(), err)
		}
	})
}
