package pvesim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// firewallWorld has two nodes, the second of which is off, guests and a virtual network.
func firewallWorld() *World {
	w := GenerateWorld(GenOptions{Seed: 3, Nodes: 3, Guests: 2, Now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)})
	w.AddGuest(&Guest{VMID: 9100, Type: typeQEMU, Node: w.Nodes[0].Name})
	w.AddGuest(&Guest{VMID: 9200, Type: typeLXC, Node: w.Nodes[0].Name})
	w.Cluster.Lists["sdn_vnets"] = []Object{{"vnet": "lab", "zone": "z", "type": "vnet"}}
	w.Cluster.Firewall.Aliases = []Object{{"name": "Six", "cidr": "fd00::/8"}, {"name": "four", "cidr": "10.0.0.7/8"}}
	w.Cluster.Firewall.Sets = []Object{{"name": "admins", "members": []Object{{"cidr": "dc/four"}}}}
	w.SetNodeOnline(w.Nodes[1].Name, false)
	return w
}

// firewallSteps sends requests in order as root: "METHOD path params -> answer", where N and OFF stand for the nodes,
// CL for /cluster/firewall, VM for that of VM 9100. An answer of 200 is its data without digests, an error its texts.
func firewallSteps(t *testing.T, w *World, steps string) {
	t.Helper()
	now := w.TakenAt
	s := New(w, WithClock(func() time.Time { return now }), WithoutDelays())
	short := strings.NewReplacer("CL/", "/cluster/firewall/", "VM/", "/nodes/N/qemu/9100/firewall/", "OFF", w.Nodes[1].Name)
	for line := range strings.Lines(strings.TrimSpace(steps)) {
		request, want, _ := strings.Cut(strings.TrimSpace(line), " -> ")
		if after, ok := strings.CutPrefix(request, "wait "); ok {
			d, _ := time.ParseDuration(after)
			now = now.Add(d)
			continue
		}
		words := strings.Fields(strings.Replace(short.Replace(request), "/N/", "/"+w.Nodes[0].Name+"/", 1))
		resp := s.serve(asking(t.Context(), s, words[0], words[1], strings.Join(words[2:], "&")))
		if got := firewallAnswer(t, resp); got != want {
			t.Errorf("%s:\n got %s\nwant %s", request, got, want)
		}
	}
}

func firewallAnswer(t *testing.T, resp *response) string {
	t.Helper()
	var v struct {
		Data   any
		Errors map[string]string
	}
	if err := json.Unmarshal(resp.body, &v); err != nil && len(resp.body) > 0 {
		t.Fatal(err)
	}
	if resp.status != 200 {
		text := resp.reason
		for key, e := range v.Errors {
			text = key + ": " + strings.TrimSpace(e)
		}
		return text
	}
	list, _ := v.Data.([]any)
	for _, e := range append(list, v.Data) {
		if o, ok := e.(map[string]any); ok {
			delete(o, "digest")
		}
	}
	out, err := json.Marshal(v.Data)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(out), `"`, "")
}

func TestFirewallRules(t *testing.T) {
	for name, steps := range map[string]string{
		"what may be said": `
POST CL/rules type=in action=MAYBE -> action: unknown action 'MAYBE'
POST CL/rules type=in action=ACCEPT macro=ssh dport=2222 proto=tcp -> dport: parameter 'dport' already define in macro (value = '22')
POST CL/rules type=in action=ACCEPT macro=dns proto=udp -> proto: parameter 'proto' already define in macro (value = 'tcp')
POST CL/rules type=in action=ACCEPT proto=icmp icmp-type=no-route -> icmp-type: invalid icmp-type 'no-route' for proto 'icmp'
POST CL/rules type=in action=ACCEPT icmp-type=any -> proto: missing property - 'icmp-type' requires this property
POST CL/rules type=in action=ACCEPT proto=esp sport=5 -> sport: protocol 'esp' does not support ports
POST CL/rules type=in action=ACCEPT source=four dest=fd00::1 -> dest: detected mixed ipv4/ipv6 addresses in rule
POST CL/rules type=in action=ACCEPT source=fd00::1 dest=four -> detected mixed ipv4/ipv6 addresses in rule
POST CL/rules type=in action=ACCEPT source=%2Bguest/nosuch -> source: no such ipset 'nosuch'
POST VM/rules type=in action=ACCEPT source=%2Bguest/admins -> source: no such ipset 'admins'
POST VM/rules type=in action=ACCEPT source=%2Bdc/admins iface=net3 -> null
POST VM/rules type=forward action=ACCEPT -> type: unknown rule type 'forward'
POST /cluster/sdn/vnets/lab/firewall/rules type=in action=ACCEPT -> type: unknown rule type 'in'
POST /cluster/sdn/vnets/lab/firewall/rules type=forward action=DROP -> null
GET /cluster/sdn/vnets/lab/firewall/rules -> [{action:DROP,enable:0,pos:0,type:forward}]
GET /cluster/sdn/vnets/none/firewall/rules -> invalid vnet specified`,
		"as the file keeps them": `
POST CL/rules type=in action=ACCEPT macro=sSh source=sIX enable=7 comment=a%23%20b%0Ac -> null
POST CL/rules type=group action=web source=10.0.0.1 iface=vmbr0 comment=%20 enable=1 -> null
GET CL/rules -> [{action:web,enable:1,iface:vmbr0,pos:0,type:group},{action:ACCEPT,comment:a# b,enable:1,ipversion:6,macro:SSH,pos:1,source:sIX,type:in}]
PUT CL/rules/1 source= enable=0 -> null
PUT CL/rules/1 delete=enable,nosuch -> delete: no such property ('nosuch')
PUT CL/rules/1 delete=action -> delete: unable to delete required property 'action'
PUT CL/rules/1 delete=enable comment=- moveto=1 -> null
GET CL/rules/1 -> {action:ACCEPT,enable:1,macro:SSH,pos:1,type:in}
PUT CL/rules/0 moveto=9 comment=ignored -> null
GET CL/rules -> [{action:ACCEPT,enable:1,macro:SSH,pos:0,type:in},{action:web,enable:1,iface:vmbr0,pos:1,type:group}]
PUT CL/rules/1 moveto=0 -> null
DELETE CL/rules/1 digest=123 -> detected modified configuration - file changed by other user? Try again.
GET CL/rules/0 -> {action:web,enable:1,iface:vmbr0,pos:0,type:group}`,
		"what is not there": `
GET VM/rules/0 -> no rule at position 0
DELETE VM/rules/0 -> Can't use an undefined value as an ARRAY reference at /usr/share/perl5/PVE/API2/Firewall/Rules.pm line 462.
PUT VM/options dhcp=1 -> null
DELETE VM/rules/0 -> no rule at position 0
POST /nodes/N/qemu/8888/firewall/rules type=in action=DROP -> null
GET /nodes/OFF/lxc/8888/firewall/rules -> [{action:DROP,enable:0,pos:0,type:in}]
GET /nodes/OFF/lxc/8888/firewall/options -> No route to host`,
	} {
		t.Run(name, func(t *testing.T) { firewallSteps(t, firewallWorld(), steps) })
	}
}

func TestFirewallNames(t *testing.T) {
	for name, steps := range map[string]string{
		"aliases": `
GET CL/aliases -> [{cidr:fd00::/8,ipversion:6,name:Six},{cidr:10.0.0.0/8,ipversion:4,name:four}]
POST CL/aliases name=SIX cidr=10.0.0.1 -> name: alias 'SIX' already exists
PUT CL/aliases/six cidr=192.168.1.77/24 rename=FOUR -> name: alias 'FOUR' already exists
PUT CL/aliases/six cidr=192.168.1.77/24 comment=c -> null
PUT CL/aliases/six cidr=192.168.1.1/32 rename=sechs digest=1 -> detected modified configuration - file changed by other user? Try again.
PUT CL/aliases/six cidr=192.168.1.1/32 rename=sechs -> null
GET CL/aliases/SECHS -> {cidr:192.168.1.1,ipversion:4,name:sechs}
PUT CL/aliases/six cidr=10.0.0.1 -> name: no such alias
POST VM/aliases name=mine cidr=10.1.1.1 comment=m -> null
GET VM/refs type=alias -> [{name:four,ref:four,scope:dc,type:alias},{name:sechs,ref:sechs,scope:dc,type:alias},{comment:m,name:mine,ref:mine,scope:guest,type:alias}]`,
		"sets": `
POST CL/ipset name=bb rename=aa -> name: IPSet 'aa' does not exist
POST CL/ipset name=bb -> null
POST CL/ipset name=bb rename=admins -> name: IPSet 'bb' does already exist
POST CL/ipset name=admins rename=admins comment=who -> null
POST CL/ipset/admins cidr=10.5.5.5/16 -> null
POST CL/ipset/admins cidr=10.5.0.0/16 -> cidr: address '10.5.0.0/16' already exists
POST CL/ipset/admins cidr=0.0.0.0/0 -> cidr: a zero prefix is not allowed in ipset entries
DELETE CL/aliases/four -> null
GET CL/ipset/admins -> [{cidr:10.5.0.0/16},{cidr:dc/four,errors:{cidr:no such alias 'dc/four'}}]
PUT CL/ipset/admins/dc/four comment=x -> null
PUT CL/ipset/admins/10.9.9.9 comment=x -> cidr: no such IP/Network
DELETE CL/ipset/admins/10.9.9.9 -> null
DELETE CL/ipset/admins -> IPSet 'admins' is not empty
POST CL/ipset name=staff rename=admins -> null
GET CL/ipset -> [{name:bb},{comment:who,name:staff}]
DELETE CL/ipset/staff force=1 -> null
DELETE CL/ipset/staff -> no such IPSet 'staff'`,
		"groups": `
POST CL/groups group=web comment=w -> null
POST CL/groups/web type=group action=db -> type: security groups not allowed
POST CL/groups/web type=in action=ACCEPT iface=vmbr0 -> iface: parameter -i not allowed for this rule type
POST VM/rules type=group action=web enable=1 -> null
POST CL/groups group=www rename=web -> null
GET VM/rules -> [{action:www,enable:1,pos:0,type:group}]
DELETE CL/groups/web -> no such security group 'web'
POST CL/groups group=www rename=www comment= -> null
PUT CL/groups/www/0 enable=1 -> no rule at position 0
GET CL/groups -> [{group:www}]
DELETE CL/groups/www -> null`,
		"options": `
PUT CL/options enable=2 -> null
wait 59s
GET CL/options -> {enable:1777636800}
wait 2s
GET CL/options -> {enable:0}
PUT CL/options delete=enable,digest -> delete: no such option 'digest'
PUT VM/options enable=1 policy_out=REJECT -> null
PUT VM/options delete=policy_out digest=1 -> detected modified configuration - file changed by other user? Try again.
PUT VM/options delete=policy_out,enable enable=0 -> null
GET VM/options -> {enable:0}
PUT /nodes/N/firewall/options nf_conntrack_max=40000 nosmurfs=1 -> null
GET /nodes/N/firewall/options -> {nf_conntrack_max:40000,nosmurfs:1}`,
	} {
		t.Run(name, func(t *testing.T) { firewallSteps(t, firewallWorld(), steps) })
	}
}

// TestFirewallOfGuests: what becomes of a guest's firewall with the guest.
func TestFirewallOfGuests(t *testing.T) {
	r, sim := backupRig(t)
	ask := func(method, path, form string) string {
		return firewallAnswer(t, sim.serve(asking(t.Context(), sim, method, path, form)))
	}
	node := sim.firstNode()
	base := "/nodes/" + node
	done := func(method, path, form string) string {
		t.Helper()
		exit, log := r.task(method, path, form)
		if exit != "OK" {
			t.Fatalf("%s %s: %s\n%s", method, path, exit, log)
		}
		return log
	}
	done("POST", base+"/qemu", "vmid=7001&name=one")
	ask("POST", base+"/qemu/7001/firewall/rules", "type=in&action=ACCEPT&macro=SSH&enable=1&iface=net0&comment=in")
	ask("POST", base+"/qemu/7002/firewall/rules", "type=in&action=DROP") // before there is such a VM
	const kept = "[{action:ACCEPT,comment:in,enable:1,iface:net0,macro:SSH,pos:0,type:in}]"

	done("POST", base+"/qemu", "vmid=7002")
	if got := ask("GET", base+"/qemu/7002/firewall/rules", ""); !strings.Contains(got, "DROP") {
		t.Errorf("a new VM has what was there: %s", got)
	}
	done("POST", base+"/qemu/7001/clone", "newid=7003&full=1")
	done("POST", base+"/vzdump", "vmid=7001&storage=files&mode=stop")
	done("DELETE", base+"/qemu/7001", "")
	if got := ask("GET", base+"/qemu/7001/firewall/rules", ""); got != "[]" {
		t.Errorf("after the VM was destroyed: %s", got)
	}
	volid := ""
	sim.Update(func(w *World) {
		for _, v := range w.Node(node).Content["files"] {
			if integer(v["vmid"]) == 7001 {
				volid = text(v["volid"])
			}
		}
	})
	log := done("POST", base+"/qemu", "vmid=7004&archive="+volid)
	if !strings.Contains(log, "CFG: size: 38 name: qemu-server.fw") { // a section of one rule
		t.Error(log)
	}
	for _, vmid := range []string{"7003", "7004"} {
		if got := ask("GET", base+"/qemu/"+vmid+"/firewall/rules", ""); got != kept {
			t.Errorf("firewall of %s: %s", vmid, got)
		}
	}
	if got := ask("DELETE", base+"/qemu/7003/firewall/rules/0", "") + ask("GET", base+"/qemu/7004/firewall/rules", ""); got != "null"+kept {
		t.Errorf("the two share rules: %s", got)
	}
}

// TestFirewallLog: a guest sees its own packets, and since and until choose among them.
func TestFirewallLog(t *testing.T) {
	w := firewallWorld()
	at := w.TakenAt.Add(-time.Hour)
	w.Nodes[0].Firewall.Log = []FirewallLine{
		{at, 0, 6, "PVEFW-HOST-IN", "policy DROP: IN=vmbr0"}, {at.Add(time.Minute), 9100, 6, "tap9100i0-IN", "policy DROP: IN=fwbr9100i0"}}
	firewallSteps(t, w, `
GET VM/log -> [{n:1,t:9100 6 tap9100i0-IN 01/May/2026:13:01:00 +0200 policy DROP: IN=fwbr9100i0}]
GET VM/log until=1 -> [{n:1,t:no content}]
GET /nodes/N/firewall/log limit=1 -> [{n:1,t:0 6 PVEFW-HOST-IN 01/May/2026:13:00:00 +0200 policy DROP: IN=vmbr0}]`)
}

// TestFirewallRights: what a guest's firewall asks for besides what is recorded, and that of a virtual network.
func TestFirewallRights(t *testing.T) {
	w := firewallWorld()
	w.AddUser("net@pve", "geheim12")
	w.AddACL("/sdn/zones/z", "user", "net@pve", "PVEAuditor", true)
	w.AddACL("/vms/9100", "user", "net@pve", "PVEAuditor", true)
	r := newRig(t, w, WithoutDelays())
	defer r.stop()
	vm := "/nodes/" + w.Nodes[0].Name + "/qemu/9100/firewall"
	for _, s := range []struct{ method, path, params, want string }{
		{"GET", vm + "/log", "", "403 Permission check failed (/vms/9100, VM.Console)"},
		{"GET", vm + "/ipset", "", "200 OK"},
		{"DELETE", vm + "/ipset/s1/10.0.0.0/8", "", "403 Permission check failed (/vms/9100, VM.Config.Network)"},
		{"GET", "/cluster/sdn/vnets/lab/firewall/options", "", "200 OK"},
		{"PUT", "/cluster/sdn/vnets/lab/firewall/options", "enable=1", "403 Permission check failed (/sdn/zones/z/lab, SDN.Allocate)"},
		{"GET", "/cluster/firewall/macros", "", "200 OK"},
		{"GET", "/cluster/firewall/refs", "", "403 Permission check failed (/, Sys.Audit)"},
	} {
		if got := r.as("net@pve", s.method, s.path, strings.Fields(s.params)...); got.status != s.want {
			t.Errorf("%s %s: %s, want %s", s.method, s.path, got.status, s.want)
		}
	}
}

// TestMacros: every macro that is listed says what it matches.
func TestMacros(t *testing.T) {
	for _, m := range recordedWorld(t).macros() {
		parts := macroParts(text(m["macro"]), 0)
		if len(parts) == 0 {
			t.Errorf("%v is not in the table", m)
		}
		for _, p := range parts {
			if formatProtocol(p["proto"]) != nil || formatPorts(p["dport"]) != nil || formatPorts(p["sport"]) != nil || formatICMP(p["icmp-type"]) != nil {
				t.Errorf("%v: %v", m["macro"], p)
			}
		}
	}
	if a, b := len(standardMacros()), len(recordedWorld(t).macros()); a != b {
		t.Errorf("%d macros, %d recorded", a, b)
	}
}
