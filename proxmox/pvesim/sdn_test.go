package pvesim

import (
	"testing"
	"testing/synctest"
)

// TestSDN: what the recordings do not show of zones, networks and subnets; the steps of one case follow each other.
func TestSDN(t *testing.T) {
	const (
		sdn   = "/cluster/sdn"
		zone  = "POST " + sdn + "/zones?zone=z1&type=vlan&bridge=vmbr0 -> <nil>"
		vnet  = "POST " + sdn + "/vnets?vnet=v1&zone=z1&tag=5 -> <nil>"
		apply = "PUT " + sdn + " -> reloadnetworkall"
		nic   = "PUT /nodes/pve1/qemu/9001/config?net0=virtio,bridge=v1"
	)
	for name, steps := range map[string][]string{
		"a network is a bridge once it is applied": {zone, vnet, nic + " -> <nil>", "POST /nodes/pve1/qemu/9001/status/start -> UPID", "wait 5s",
			"GET /nodes/pve1/tasks?limit=1 -> bridge 'v1' does not exist", "GET /nodes/pve1/network?type=any_bridge !> v1", apply,
			"GET /nodes/pve1/sdn/zones -> [map[status:pending zone:z1]]", "wait 5s", "GET /nodes/pve1/sdn/zones -> [map[status:available zone:z1]]",
			"GET /nodes/pve1/sdn/zones/z1/content -> [map[status:available vnet:v1]]", "GET /nodes/pve1/network?type=any_bridge -> iface:v1",
			"GET /nodes/pve1/network?type=bridge !> v1", "GET /cluster/tasks -> srvreload", "POST /nodes/pve1/qemu/9001/status/start -> UPID", "wait 5s",
			"GET /nodes/pve1/qemu/9001/status/current -> status:running", "GET /cluster/resources -> network/pve2/zone/z1"},
		"a zone of some nodes": {"POST " + sdn + "/zones?zone=z1&type=simple&nodes=pve2 -> <nil>", "POST " + sdn + "/vnets?vnet=v1&zone=z1 -> <nil>", apply, "wait 5s",
			"GET /nodes/pve2/sdn/zones -> z1", "GET /nodes/pve1/sdn/zones -> []", "GET /cluster/resources !> network/pve1/zone/z1"},
		"a node that was off": {"off pve2", zone, apply, "wait 5s", "on pve2", "GET /nodes/pve2/sdn/zones -> available"},
		"changes wait": {zone, vnet, "GET " + sdn + "/zones?running=1 -> []", apply, "GET " + sdn + "/zones?pending=1 -> [map[bridge:vmbr0 digest:<nil> type:vlan zone:z1]]",
			"PUT " + sdn + "/vnets/v1?alias=x&tag=6 -> <nil>",
			"GET " + sdn + "/vnets?pending=1 -> [map[digest:<nil> pending:map[alias:x tag:6] state:changed tag:5 type:vnet vnet:v1 zone:z1]]",
			"GET " + sdn + "/vnets/v1?running=1 -> map[digest:<nil> tag:5 type:vnet vnet:v1 zone:z1]", "PUT " + sdn + "/vnets/v1?delete=alias -> <nil>", apply,
			"PUT " + sdn + "/zones/z1?mtu=1400 -> <nil>", apply, "PUT " + sdn + "/zones/z1?delete=mtu -> <nil>",
			"GET " + sdn + "/zones/z1?pending=1 -> pending:map[mtu:deleted] state:changed", "DELETE " + sdn + "/vnets/v1 -> <nil>",
			"GET " + sdn + "/vnets?pending=1 -> state:deleted", "POST " + sdn + "/rollback -> <nil>", "GET " + sdn + "/vnets -> v1", "GET " + sdn + "/zones/z1 -> mtu:1400"},
		"what zones want": {zone, vnet, "POST " + sdn + "/zones?zone=z2&type=simple&bridge=vmbr0 -> 500 unexpected property 'bridge'",
			"POST " + sdn + "/zones?zone=z2&type=evpn&controller=c&vrf-vxlan=9 -> create sdn zone object failed: controller c don't exist",
			"POST " + sdn + "/controllers?controller=evpn1&type=evpn&asn=65000&peers=10.0.0.1 -> <nil>",
			"POST " + sdn + "/zones?zone=z2&type=evpn&controller=evpn1&vrf-vxlan=9 -> <nil>", "GET " + sdn + "/zones/z2 -> vrf-vxlan:9",
			"DELETE " + sdn + "/controllers/evpn1 -> controller evpn1 is used by z2", "POST " + sdn + "/vnets?vnet=v2&zone=z1&tag=5 -> tag 5 already exist in vnet v1",
			"POST " + sdn + "/vnets?vnet=v2&zone=z1&tag=5000 -> tag: vlan tag max value is 4096", "POST " + sdn + "/vnets?vnet=v2&zone=z2 -> tag: missing vxlan tag",
			"PUT " + sdn + "/zones/z1?digest=00&mtu=9 -> update sdn zone object failed: detected modified configuration",
			"PUT " + sdn + "/zones/z1?delete=bridge -> unable to delete required option 'bridge'", "PUT " + sdn + "/zones/z9?mtu=9 -> sdn 'z9' does not exist"},
		"subnets and addresses": {"POST " + sdn + "/zones?zone=z1&type=simple&ipam=pve&dhcp=dnsmasq -> <nil>", "POST " + sdn + "/vnets?vnet=v1&zone=z1 -> <nil>",
			"POST " + sdn + "/vnets/v1/subnets?subnet=10.0.0.0/24&type=subnet&gateway=10.0.1.1 -> gateway: 10.0.1.1 is not in subnet 10.0.0.0/24",
			"POST " + sdn + "/vnets/v1/subnets?subnet=10.0.0.0/24&type=subnet&gateway=10.0.0.1&snat=1&dhcp-range=start-address=10.0.0.9,end-address=10.0.0.99 -> <nil>",
			"GET " + sdn + "/vnets/v1/subnets/z1-10.0.0.0-24 -> dhcp-range:[map[end-address:10.0.0.99 start-address:10.0.0.9]]",
			"POST " + sdn + "/vnets/v1/subnets?subnet=fd00::/64&type=subnet -> <nil>", "GET " + sdn + "/vnets/v1/subnets -> z1-fd00::-64",
			"GET " + sdn + "/ipams/pve/status -> [map[gateway:1 ip:10.0.0.1 subnet:10.0.0.0/24 vnet:v1 zone:z1]]",
			"POST " + sdn + "/vnets/v1/ips?zone=z1&ip=10.0.0.7&mac=BC:24:11:00:00:01 -> <nil>", "POST " + sdn + "/vnets/v1/ips?zone=z1&ip=10.0.0.7 -> IP '10.0.0.7' already exist",
			"PUT " + sdn + "/vnets/v1/ips?zone=z1&ip=10.0.0.8&mac=BC:24:11:00:00:01&vmid=9001 -> <nil>", "GET " + sdn + "/ipams/pve/status -> hostname:one ip:10.0.0.8",
			"GET " + sdn + "/ipams/pve/status !> 10.0.0.7", "DELETE " + sdn + "/vnets/v1/ips?zone=z1&ip=10.0.0.8 -> <nil>",
			"DELETE " + sdn + "/vnets/v1/subnets/z1-10.0.0.0-24 -> <nil>", "GET " + sdn + "/ipams/pve/status -> []",
			"PUT " + sdn + "/vnets/v1?zone=z2 -> cannot lookup undefined type"},
		"fabrics": {"POST " + sdn + "/fabrics/fabric?id=f1&protocol=ospf&ip_prefix=10.9.0.0/24 -> area", "POST " + sdn + "/fabrics/fabric?id=f1&protocol=ospf&area=0&ip_prefix=10.9.0.0/24 -> <nil>",
			"POST " + sdn + "/fabrics/node/f1?node_id=pve1&protocol=ospf&ip=10.9.0.1&interfaces=name=eno1 -> <nil>", "GET " + sdn + "/fabrics/all -> node_id:pve1",
			"GET " + sdn + "/fabrics/fabric?running=1 -> []", "GET " + sdn + "/fabrics/fabric?pending=1 -> state:new", apply, "GET " + sdn + "/fabrics/fabric?pending=1 !> state",
			"GET " + sdn + "/fabrics/node/f1/pve1 -> ip:10.9.0.1", "DELETE " + sdn + "/fabrics/fabric/f1 -> <nil>", "GET " + sdn + "/fabrics/node -> []",
			"GET " + sdn + "/fabrics/node?pending=1 -> state:deleted", "POST " + sdn + "/rollback -> <nil>", "GET " + sdn + "/fabrics/fabric/f1 -> area:0"},
		"a zone on a fabric": {"POST " + sdn + "/fabrics/fabric?id=f1&protocol=openfabric&ip_prefix=10.9.0.0/24 -> <nil>",
			"POST " + sdn + "/fabrics/node/f1?node_id=pve1&protocol=openfabric&ip=10.9.0.1&interfaces=name=eno1 -> <nil>",
			"POST " + sdn + "/zones?zone=z1&type=vxlan&fabric=f1 -> <nil>", "POST " + sdn + "/vnets?vnet=v1&zone=z1&tag=5 -> <nil>",
			"DELETE " + sdn + "/fabrics/fabric/f1 -> this fabric is still used in the VXLAN zone", apply, "wait 5s",
			"GET /nodes/pve1/sdn/zones -> [map[status:available zone:z1]]", "GET /nodes/pve2/sdn/zones -> [map[status:error zone:z1]]",
			"GET /nodes/pve1/sdn/zones/z1/bridges -> [map[name:v1 ports:[] vlan_filtering:0]]", "GET /nodes/pve2/sdn/zones/z1/bridges -> []",
			nic + " -> <nil>", "POST /nodes/pve1/qemu/9001/status/start -> UPID", "wait 5s",
			"GET /nodes/pve1/sdn/zones/z1/bridges -> [map[name:v1 ports:[map[name:tap9001i0 vmid:9001]]", "GET /nodes/pve1/sdn/zones/localnetwork/bridges !> tap9001",
			"GET /nodes/pve1/sdn/zones/localnetwork/bridges -> map[name:vmbr0 ports:[map[name:fwpr101p0 vmid:101]",
			"DELETE " + sdn + "/vnets/v1 -> <nil>", "DELETE " + sdn + "/zones/z1 -> <nil>", "DELETE " + sdn + "/fabrics/fabric/f1 -> <nil>"},
		"a lock": {"POST " + sdn + "/zones?zone=z1&type=simple -> <nil>", "POST " + sdn + "/lock -> configuration has pending changes",
			"POST " + sdn + "/lock?allow-pending=1 -> -", "POST " + sdn + "/zones?zone=z2&type=simple -> configuration is locked", "DELETE " + sdn + "/lock -> is locked",
			"DELETE " + sdn + "/lock?force=1 -> <nil>", "POST " + sdn + "/zones?zone=z2&type=simple -> <nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, haWorld())
				defer r.stop()
				r.walk(steps)
			})
		})
	}
}

// TestSDNRights: who sees and changes networks.
func TestSDNRights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := haWorld()
		w.Cluster.Lists["sdn_zones"] = []Object{{"zone": "z1", "type": "simple"}, {"zone": "z2", "type": "simple"}}
		w.Cluster.Lists["sdn_vnets"] = []Object{{"vnet": "v1", "zone": "z1", "type": "vnet"}, {"vnet": "v2", "zone": "z2", "type": "vnet"}}
		w.ApplySDN()
		w.AddUser("net@pve", "")
		w.AddACL("/sdn/zones/z1", "user", "net@pve", "PVESDNAdmin", true)
		token := w.AddToken("net@pve", "t", "deadbeef-0000-4000-8000-00000000beef", false)
		r := newRig(t, w)
		defer r.stop()
		r.token = token
		r.walk([]string{
			"GET /cluster/sdn/vnets -> v1", "GET /cluster/sdn/vnets !> v2", "GET /cluster/sdn/zones !> z2", "GET /cluster/sdn/zones/z1 -> z1",
			"GET /cluster/sdn/zones/z2 -> 403 Permission check failed (/sdn/zones/z2, SDN.Allocate)",
			"POST /cluster/sdn/zones?zone=z3&type=simple -> 403 Permission check failed (/sdn/zones, SDN.Allocate)",
			"POST /cluster/sdn/vnets?vnet=v3&zone=z2 -> 403 Permission check failed (/sdn/zones/z2, SDN.Allocate)",
			"POST /cluster/sdn/vnets?vnet=v3&zone=z1 -> <nil>", "PUT /cluster/sdn/vnets/v2?alias=x -> 403 Permission check failed (/sdn/zones/z2/v2, SDN.Allocate)",
			"PUT /cluster/sdn -> 403 Permission check failed (/sdn, SDN.Allocate)", "POST /cluster/ha/resources?sid=9001 -> 403 Permission check failed (/, Sys.Console)",
			"GET /cluster/resources -> network/pve1/zone/z1", "GET /cluster/resources !> zone/z2",
		})
	})
}
