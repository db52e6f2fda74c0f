package terraform_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/terraform"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// machine is a guest of a configuration; row says more of it.
func machine(t testing.TB, vmid int, config string, row store.Guest) iac.Guest {
	t.Helper()
	row.VMID, row.Node = vmid, "pve1"
	if row.Type == "" {
		row.Type = "qemu"
	}
	g, err := iac.NewGuest(&row, json.RawMessage(config))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// file is one of a result's files, "" when there is none.
func file(r iac.Result, path string) string {
	for _, f := range r.Files {
		if f.Path == path {
			return string(f.Data)
		}
	}
	return ""
}

// keep gives a world the addresses that a result added.
func keep(w *iac.World, r iac.Result) {
	for _, a := range r.Addresses {
		w.Known[iac.Key{Target: a.Target, Kind: a.Kind, ID: a.ID, Life: a.Life}] = a.Address
	}
	w.Options.Held = map[string]bool{}
	for _, a := range r.Held {
		w.Options.Held[a] = true
	}
}

// TestAddressesForLife exports, renames, removes, adds and brings back: no address moves, what leaves is forgotten and not destroyed.
func TestAddressesForLife(t *testing.T) {
	w := &iac.World{Known: map[iac.Key]string{}, Guests: []iac.Guest{machine(t, 100, `{"name":"web"}`, store.Guest{}), machine(t, 101, `{"name":"web"}`, store.Guest{}),
		machine(t, 102, `{"name":"db"}`, store.Guest{Pool: "prod"})}, Objects: []iac.Object{{Kind: store.KindPool, ID: "prod", Raw: []byte(`{"poolid":"prod"}`)}}}
	keep(w, emit(t, w))
	w.Guests = []iac.Guest{machine(t, 100, `{"name":"renamed"}`, store.Guest{}), machine(t, 103, `{"name":"web"}`, store.Guest{}),
		machine(t, 104, `{"migrate_downtime":"1","name":"slow"}`, store.Guest{})}
	r := emit(t, w)
	vms, removed := file(r, "terraform/vms.tf"), file(r, "terraform/removed.tf")
	for _, want := range []string{`"web_100" {`, `= "renamed"`, `"web" {`} {
		if !strings.Contains(vms, want) {
			t.Errorf("%s is not in\n%s", want, vms)
		}
	}
	for _, want := range []string{"from = proxmox_virtual_environment_vm.web_101\n", "from = proxmox_virtual_environment_vm.db\n", "destroy = false"} {
		if !strings.Contains(removed, want) {
			t.Errorf("%s is not in\n%s", want, removed)
		}
	}
	if strings.Contains(removed, "web_100") || strings.Contains(removed, "pool") || strings.Contains(vms, "slow") {
		t.Errorf("what stays is removed, or what cannot be read is written:\n%s", removed)
	}
	keep(w, r)
	w.Guests = append(w.Guests, machine(t, 102, `{"name":"db"}`, store.Guest{Pool: "prod"}))
	w.Sort()
	if r = emit(t, w); len(r.Addresses) > 0 || !strings.Contains(file(r, "terraform/vms.tf"), `"db" {`) || strings.Contains(file(r, "terraform/removed.tf"), ".db\n") {
		t.Errorf("a guest that is back: %v\n%s", r.Addresses, file(r, "terraform/removed.tf"))
	}
}

// TestReferences: what is in the code is named by reference where the provider takes one; what is not, and what a guest without a name is called,
// by its number.
func TestReferences(t *testing.T) {
	w := &iac.World{Known: map[iac.Key]string{}, Guests: []iac.Guest{machine(t, 100, `{"name":"web"}`, store.Guest{}), machine(t, 104, `{"migrate_downtime":"1","name":"slow"}`, store.Guest{}),
		machine(t, 109, `{"ostype":"debian"}`, store.Guest{Type: "lxc", Pool: "prod"})},
		Objects: []iac.Object{{Kind: store.KindPool, ID: "prod", Raw: []byte(`{"poolid":"prod"}`)}, {Kind: store.KindStorageConfig, ID: "nas", Raw: []byte(`{"storage":"nas","type":"nfs","server":"nas","export":"/x"}`)},
			{Kind: store.KindBackupJob, ID: "nightly", Raw: []byte(`{"id":"nightly","schedule":"daily","storage":"nas","vmid":"100,104,109"}`)}}}
	w.Options.With = map[string]bool{terraform.Infrastructure: true}
	w.Sort()
	r := emit(t, w)
	for path, want := range map[string]string{"terraform/pools.tf": "vm_id   = proxmox_virtual_environment_container.guest_109.id\n",
		"terraform/backup.tf": `[proxmox_virtual_environment_vm.web.id, "104", proxmox_virtual_environment_container.guest_109.id]`} {
		if !strings.Contains(file(r, path), want) {
			t.Errorf("%s is not in\n%s", want, file(r, path))
		}
	}
	if !strings.Contains(file(r, "terraform/backup.tf"), "= proxmox_storage_nfs.nas.id\n") {
		t.Error(file(r, "terraform/backup.tf"))
	}
}

// TestUnreadable finds what the provider would fail on, each with its reason, and nothing else (rules A1 to A6).
func TestUnreadable(t *testing.T) {
	down := []iac.Object{{Kind: store.KindStorage, ID: "pve1/ceph", Raw: []byte(`{"status":"inactive"}`)}, {Kind: store.KindStorageConfig, ID: "ceph", Raw: []byte(`{"type":"rbd"}`)}}
	for config, want := range map[string]string{
		`{"migrate_downtime":"0.3"}`:                          "migrate_downtime",
		`{"net0":"virtio=BC:24:11:00:00:01,trunks=10;20-30"}`: "trunks",
		`{"net0":"virtio=BC:24:11:00:00:01,trunks=10;20"}`:    "",
		`{"memory":"current=1536"}`:                           "memory",
		`{"smbios1":"uuid=x,serial=abc"}`:                     "smbios1",
		`{"smbios1":"serial=MTIz,base64=1"}`:                  "",
		`{"smbios1":"uuid=x"}`:                                "",
		`{"scsi0":"ceph:vm-1-disk-0,size=1G"}`:                "off line",
		`{"scsi0":"ceph:vm-1-disk-0,size=1G,format=raw"}`:     "",
		`{"scsi0":"ceph:1/vm-1-disk-0.raw,size=1G"}`:          "",
		`{"scsi0":"file=ceph:1/vm-1-disk-0.raw,size=1G"}`:     "off line",
		`{"efidisk0":"ceph:1/vm-1-disk-0.raw"}`:               "off line",
		`{"tpmstate0":"ceph:vm-1-disk-0"}`:                    "",
		`{"ide2":"ceph:iso/x,media=cdrom"}`:                   "",
		`{"scsi0":"gone:vm-1-disk-0,size=1G"}`:                "",
		`{"scsi0":"local:1/x.raw,mbps_rd=1.5"}`:               "decimal",
	} {
		w := &iac.World{Guests: []iac.Guest{machine(t, 100, config, store.Guest{})}, Objects: down}
		w.Sort()
		cov := emit(t, w).Coverage[0]
		if (cov.Status == iac.Unreadable) != (want != "") || !strings.Contains(cov.Why, want) {
			t.Errorf("%s: %s %q, want %q", config, cov.Status, cov.Why, want)
		}
	}
}

// TestMasked never writes a value of which a secret is masked: an apply would set the mask.
func TestMasked(t *testing.T) {
	w := &iac.World{Guests: []iac.Guest{machine(t, 100, `{"description":"password=**********","args":"-x secret=**********","name":"web","cipassword":"**********","tags":"a"}`, store.Guest{}),
		machine(t, 101, "{\"description\":\"password=**********\\n\",\"env\":\"PASSWORD=**********\",\"rootfs\":\"local:1/x.raw,size=1G\",\"hostname\":\"x\"}", store.Guest{Type: "lxc"})}}
	r := emit(t, w)
	for _, path := range []string{"terraform/vms.tf", "terraform/containers.tf"} {
		code := file(r, path)
		if strings.Contains(code, "***") {
			t.Errorf("a mask is in\n%s", code)
		}
		if !strings.Contains(code, "\n      description,") {
			t.Errorf("the description is compared in\n%s", code)
		}
	}
	if !strings.Contains(file(r, "terraform/containers.tf"), "\n      environment_variables,") || !strings.Contains(file(r, "terraform/vms.tf"), "\n      kvm_arguments,") {
		t.Error("arguments or variables are compared")
	}
}

// TestMovedContainer warns of a container that terraform would look for on its old node.
func TestMovedContainer(t *testing.T) {
	ct := machine(t, 100, `{"hostname":"web"}`, store.Guest{Type: "lxc"})
	then := &iac.World{Guests: []iac.Guest{ct}}
	ct.Node = "pve2"
	r := emit(t, &iac.World{Guests: []iac.Guest{ct}, Then: then})
	want := []string{"container 100 web moved from pve1 to pve2: run terraform state rm proxmox_virtual_environment_container.web before the plan, which then imports it from there"}
	if diff := cmp.Diff(want, r.Warnings); diff != "" {
		t.Error(diff)
	}
}

// TestSilentNode keeps the guests of a node that does not answer in the code, and says what a plan will come to.
func TestSilentNode(t *testing.T) {
	r := emit(t, &iac.World{Guests: []iac.Guest{machine(t, 100, `{"name":"web"}`, store.Guest{Status: "unknown"}), machine(t, 101, `{"name":"db"}`, store.Guest{Status: "running"})}})
	want := []string{"node pve1 was silent when it was last asked: the code of its 1 guests is of before, and a plan fails until the node answers"}
	if diff := cmp.Diff(want, r.Warnings); diff != "" {
		t.Error(diff)
	}
	if vms := file(r, "terraform/vms.tf"); !strings.Contains(vms, `"web" {`) || strings.Count(vms, "started  ") != 1 {
		t.Errorf("the power state of one guest is known:\n%s", vms)
	}
}

// TestRelease knows its providers.
func TestRelease(t *testing.T) {
	if _, err := terraform.New("0.1.0"); fault.CodeOf(err) != fault.Invalid {
		t.Error(err)
	}
}
