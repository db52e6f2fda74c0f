package terraform

import (
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// vmRules write a virtual machine, in the order of the file.
var vmRules = []func(*vm){
	(*vm).identity, (*vm).basics, (*vm).boot,
	(*vm).agent, (*vm).amdSEV, (*vm).audio, (*vm).cdrom, (*vm).cpu, (*vm).disks, (*vm).efi, (*vm).pci, (*vm).initialization, (*vm).memory, (*vm).nics,
	(*vm).numa, (*vm).system, (*vm).rng, (*vm).serials, (*vm).smbios, func(v *vm) { v.startup() }, (*vm).tpm, (*vm).usb, (*vm).vga, (*vm).virtiofs, (*vm).watchdog,
}

func (v *vm) identity() {
	v.picked("name", "name", matches(dnsName))
	v.notes("")
	v.tags()
	v.place()
	if v.g.Pool != "" {
		v.body.Set("pool_id", v.x.ref(poolKey(v.g.Pool), "pool_id", v.g.Pool))
	}
	v.flag(v.body, "template", "template", false)
	v.started()
	// The schema's default is true, Proxmox VE's false: always written.
	v.take("onboot", "on_boot")
	v.body.Set("on_boot", v.conf.Bool("onboot"))
}

var (
	machineForm = lazy.Regexp(`^$|^(pc|pc(-i440fx)?-\d+(\.\d+)+(\+pve\d+)?(\.pxe)?|q35(,viommu=(intel|virtio))?|pc-q35-\d+(\.\d+)+(\+pve\d+)?(\.pxe)?|virt(?:-\d+(\.\d+)+)?(\+pve\d+)?)$`)
	keyboards   = oneOf(strings.Fields("da de de-ch en-gb en-us es fi fr fr-be fr-ca fr-ch hu is it ja lt mk nl no pl pt pt-br sl sv tr")...)
	controllers = oneOf("lsi", "lsi53c810", "virtio-scsi-pci", "virtio-scsi-single", "megasas", "pvscsi")
	biosForms   = oneOf("ovmf", "seabios")
	systemForms = oneOf("l24", "l26", "other", "solaris", "w2k", "w2k3", "w2k8", "win7", "win8", "win10", "win11", "wvista", "wxp")
)

// picked writes a key whose value has to be one that the provider knows.
func (v *vm) picked(key, attr string, ok func(string) bool) {
	if v.has(key) {
		v.choice(v.body, attr, v.take(key, attr), Ref(attr), ok)
	}
}

func (v *vm) basics() {
	v.flag(v.body, "protection", "protection", false)
	v.picked("bios", "bios", biosForms)
	v.picked("machine", "machine", matches(machineForm))
	v.picked("scsihw", "scsi_hardware", controllers)
	if !v.has("scsihw") {
		v.skip("scsi_hardware", "not set in Proxmox VE, whose default (lsi) is not the provider's") // rule B3
	}
	v.flag(v.body, "acpi", "acpi", true)
	v.flag(v.body, "tablet", "tablet_device", true)
	v.picked("keyboard", "keyboard_layout", keyboards)
	v.picked("hotplug", "hotplug", hotplugForm)
	v.text(v.body, "args", "kvm_arguments", "kvm_arguments")
	v.text(v.body, "hookscript", "hook_script_file_id", "hook_script_file_id")
}

// hotplugForm takes 0, 1 and lists of features without repetition.
func hotplugForm(s string) bool {
	if s == "0" || s == "1" {
		return true
	}
	known := oneOf("cpu", "disk", "memory", "network", "usb")
	parts := strings.Split(s, ",")
	for i, p := range parts {
		if !known(p) || slices.Contains(parts[:i], p) {
			return false
		}
	}
	return true
}

// boot writes the order of devices; without any in it the provider reads nothing (rule B1).
func (v *vm) boot() {
	if !v.has("boot") {
		return
	}
	order := split(iac.ParseProps("boot", v.conf.Str("boot")).Str("order"), ";")
	if len(order) == 0 {
		v.tell("boot", iac.Unrepresented, "", "the provider reads order= alone")
		if strings.Trim(strings.TrimPrefix(v.conf.Str("boot"), "order="), " ;") == "" {
			v.tell("boot", iac.Default, "boot_order", "names no device")
		}
		return
	}
	v.take("boot", "boot_order")
	v.body.Set("boot_order", order)
}

// agent is written where it differs from a disabled one (rule B20).
func (v *vm) agent() {
	if !v.has("agent") {
		return
	}
	p := v.props("agent", "agent")
	enabled, trim, kind := p.str("enabled") == "1", p.str("fstrim_cloned_disks") == "1", p.str("type")
	if !enabled && !trim && (kind == "" || kind == "virtio") {
		v.tell("agent", iac.Default, "agent", "disabled")
		return
	}
	b := v.body.Block("agent")
	b.Set("enabled", enabled)
	if trim {
		b.Set("trim", true)
	}
	if kind != "" && kind != "virtio" {
		b.Set("type", kind)
	}
}

// amdSEV has to be written: left out, the plan is to destroy the machine (rule B18).
func (v *vm) amdSEV() {
	if !v.has("amd-sev") {
		return
	}
	p := v.props("amd-sev", "amd_sev")
	b := v.body.Block("amd_sev")
	p.text(b, "type", "type")
	if smt, ok := p.get("allow-smt"); ok {
		b.Set("allow_smt", smt == "1")
	} else {
		v.skip(at("amd_sev", 0, "allow_smt"), "not set in Proxmox VE, whose default is not the provider's")
	}
	p.flag(b, "kernel-hashes", "kernel_hashes", false)
	p.flag(b, "no-debug", "no_debug", false)
	p.flag(b, "no-key-sharing", "no_key_sharing", false)
}

// audio knows one driver (rule B12).
func (v *vm) audio() {
	if !v.has("audio0") {
		return
	}
	p := v.props("audio0", "audio_device")
	b := v.body.Block("audio_device")
	p.text(b, "device", "device")
	b.Set("driver", "spice")
	if p.str("driver") != "spice" {
		v.skip(at("audio_device", 0, "driver"), "the provider knows spice only")
	}
}

// cdrom is read on ide3 alone (facts 7.2).
func (v *vm) cdrom() {
	if !v.has("ide3") {
		return
	}
	if p := iac.ParseProps("ide3", v.conf.Str("ide3")); p.Str("media") != "cdrom" || v.isCloudInit(p.Str("file")) {
		v.skip("cdrom", "the provider takes what is on ide3 for a CD drive, besides for what it is")
		return
	}
	d := v.props("ide3", "cdrom")
	b := v.body.Block("cdrom")
	b.Set("interface", "ide3")
	v.choice(b, "file_id", d.str("file"), at("cdrom", 0, "file_id"), func(s string) bool { return s == "none" || s == "cdrom" || fileID().MatchString(s) })
	d.taken["media"], d.taken["size"] = true, true
}

func (v *vm) isCloudInit(volume string) bool {
	return strings.Contains(volume, "vm-"+v.g.ID()+"-cloudinit")
}

var cpuTypes = oneOf(strings.Fields(`486 Broadwell Broadwell-IBRS Broadwell-noTSX Broadwell-noTSX-IBRS Cascadelake-Server Cascadelake-Server-noTSX Cascadelake-Server-v2
 Cascadelake-Server-v4 Cascadelake-Server-v5 Conroe Cooperlake Cooperlake-v2 EPYC EPYC-Genoa EPYC-IBPB EPYC-Milan EPYC-Rome EPYC-Rome-v2 EPYC-Rome-v3 EPYC-Rome-v4
 EPYC-v3 EPYC-v4 Haswell Haswell-IBRS Haswell-noTSX Haswell-noTSX-IBRS Icelake-Client Icelake-Client-noTSX Icelake-Server Icelake-Server-noTSX Icelake-Server-v3
 Icelake-Server-v4 Icelake-Server-v5 Icelake-Server-v6 IvyBridge IvyBridge-IBRS KnightsMill Nehalem Nehalem-IBRS Opteron_G1 Opteron_G2 Opteron_G3 Opteron_G4
 Opteron_G5 Penryn SandyBridge SandyBridge-IBRS SapphireRapids Skylake-Client Skylake-Client-IBRS Skylake-Client-noTSX-IBRS Skylake-Client-v4 Skylake-Server
 Skylake-Server-IBRS Skylake-Server-noTSX-IBRS Skylake-Server-v4 Skylake-Server-v5 Westmere Westmere-IBRS athlon core2duo coreduo host kvm32 kvm64 max pentium
 pentium2 pentium3 phenom qemu32 qemu64 x86-64-v2 x86-64-v2-AES x86-64-v3 x86-64-v4`)...)

func cpuType(s string) bool { return cpuTypes(s) || len(s) > 7 && strings.HasPrefix(s, "custom-") }

// needsCPU says whether the provider keeps a cpu block: numa alone is not enough for it, but blocks that the schema binds to cpu.numa are
// (facts 7.3).
func (v *vm) needsCPU() (kept, bound bool) {
	p := iac.ParseProps("cpu", v.conf.Str("cpu"))
	differs := func(key, standard string) bool { return v.has(key) && v.conf.Str(key) != standard }
	kept = differs("cores", "1") || differs("sockets", "1") || differs("vcpus", "0") || differs("cpulimit", "0") || differs("cpuunits", "0") || v.has("arch") ||
		v.has("cpu") && p.Str("cputype") != "qemu64" || len(split(p.Str("flags"), ";")) > 0
	return kept, v.has("hugepages") || v.conf.Bool("keephugepages") || len(v.boundNUMA()) > 0
}

func (v *vm) cpu() {
	kept, bound := v.needsCPU()
	if !kept && !bound {
		for _, key := range []string{"cores", "sockets", "cpu", "cpulimit", "cpuunits", "vcpus"} {
			v.tell(key, iac.Default, "cpu", "the provider's default")
		}
		v.tell("numa", iac.Default, "cpu.numa", "off")
		if v.conf.Bool("numa") {
			v.tell("numa", iac.Unrepresented, "", "the provider does not read it beside default values of the processor")
		}
		if v.has("affinity") {
			v.tell("affinity", iac.Unrepresented, "", "the provider does not read it beside default values of the processor")
		}
		return
	}
	if !kept {
		v.skip("cpu", "the provider does not read numa alone")
	}
	b := v.body.Block("cpu")
	v.prefix = "cpu."
	defer func() { v.prefix = "" }()
	v.text(b, "arch", "architecture", "cpu[0].architecture")
	v.number(b, "cores", "cores")
	v.number(b, "sockets", "sockets")
	v.cpuKind(b)
	if v.has("numa") {
		v.take("numa", "cpu.numa")
	}
	if v.conf.Bool("numa") || bound {
		b.Set("numa", v.conf.Bool("numa"))
	}
	v.text(b, "affinity", "affinity", "cpu[0].affinity")
	v.number(b, "vcpus", "hotplugged")
	v.limit(b)
	if n, _ := v.conf.Int("cpuunits"); n > 0 {
		v.number(b, "cpuunits", "units")
	}
}

// cpuKind writes model and flags of the processor; without one the provider reads qemu64.
func (v *vm) cpuKind(b *Body) {
	if !v.has("cpu") {
		b.Set("type", "qemu64")
		return
	}
	p := v.props("cpu", "cpu.type")
	v.choice(b, "type", p.str("cputype"), at("cpu", 0, "type"), cpuType)
	p.list(b, "flags", "flags", ";")
}

// system writes the kind of guest system; other is the provider's word for none (rule B3).
func (v *vm) system() {
	switch t := v.conf.Str("ostype"); {
	case !v.has("ostype"):
		v.skip("operating_system", "not set in Proxmox VE, which the provider reads as empty")
	case t == "other":
		v.tell("ostype", iac.Default, "operating_system.type", "the provider's default")
	default:
		v.choice(v.body.Block("operating_system"), "type", v.take("ostype", "operating_system.type"), at("operating_system", 0, "type"), systemForms)
	}
}
