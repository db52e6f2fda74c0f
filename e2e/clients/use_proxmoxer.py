"""Drives proxmoxer against the cluster of the environment: logs in with a password or a token and either (guests) reads, takes a machine
and a container from creation to deletion, and makes the mistakes that a user makes, or (nodes) reads all nodes through one and moves
guests between them. Prints what it saw as JSON; any other failure ends it."""

import json
import os
import sys
import time

from proxmoxer import ProxmoxAPI, ResourceException
from proxmoxer.backends.https import AuthenticationError

NODE, VM, CT = "pve1", 5000, 5001


def connect(**credentials):
    return ProxmoxAPI(os.environ["PVE_HOST"], user="root@pam", verify_ssl=False, **credentials)


def wait(api, upid):
    """Waits for a task, as everybody does who uses proxmoxer, and gives how it ended."""
    for _ in range(300):
        status = api.nodes(upid.split(":")[1]).tasks(upid).status.get()
        if status["status"] == "stopped":
            return status["exitstatus"]
        time.sleep(0.1)
    raise SystemExit("task does not end: " + upid)


def failure(call, *args, **kwargs):
    """The status and reason of a call that has to fail."""
    try:
        call(*args, **kwargs)
    except ResourceException as e:
        return [e.status_code, e.content]
    return [200, ""]


def reads(api):
    return {
        "version": api.version.get()["release"],
        "nodes": sorted(n["node"] for n in api.nodes.get()),
        "guests": len(api.cluster.resources.get(type="vm")),
        "running": [g["name"] for g in api.nodes(NODE).qemu.get() if g["vmid"] == 201 and g["status"] == "running"],
        "hostname": api.nodes(NODE).lxc(104).config.get()["hostname"],
        "templates": [v["volid"] for v in api.nodes(NODE).storage("local").content.get(content="vztmpl")],
        "acl": api.access.acl.get()[0]["ugid"],
        "pools": [p["poolid"] for p in api.pools.get()],
        "agent": api.nodes(NODE).qemu(202).agent("network-get-interfaces").get()["result"][1]["name"],
    }


def machine(api):
    vms, ends = api.nodes(NODE).qemu, []
    ends.append(wait(api, vms.create(vmid=VM, name="from-python", cores=2, memory=1024, scsihw="virtio-scsi-single",
                                     scsi0="local-lvm:8,ssd=1", net0="virtio,bridge=vmbr0", tags="python")))
    vm = vms(VM)
    vm.config.set(cores=4, description="changed by Python: äöü & <b>", delete="tags")
    ends.append(wait(api, vm.config.post(scsi1="tank:2")))
    ends.append(wait(api, vm.resize.set(disk="scsi0", size="+1G")))
    ends.append(wait(api, vm.snapshot.post(snapname="before", description="a snapshot")))
    ends.append(wait(api, vm.status.start.post()))
    seen = {"status": vm.status.current.get()["status"], "config": vm.config.get(), "snapshots": [s["name"] for s in vm.snapshot.get()]}
    seen["delete while running"] = failure(vm.delete)
    ends.append(wait(api, vm.status.stop.post()))
    ends.append(wait(api, vm.snapshot("before").delete()))
    ends.append(wait(api, vm.delete(purge=1)))
    return dict(seen, ends=ends)


def container(api):
    cts, ends = api.nodes(NODE).lxc, []
    ends.append(wait(api, cts.create(vmid=CT, hostname="from-python", ostemplate=os.environ["PVE_TEMPLATE"], rootfs="local-lvm:4", memory=256,
                                     net0="name=eth0,bridge=vmbr0,ip=dhcp", unprivileged=1, password="not a secret")))
    ct = cts(CT)
    ct.config.put(memory=512, description="changed", mp0="tank:1,mp=/srv")
    ends.append(wait(api, ct.status.start.post()))
    seen = {"status": ct.status.current.get()["status"], "config": ct.config.get()}
    ends.append(wait(api, ct.status.shutdown.post(forceStop=1, timeout=5)))
    ends.append(wait(api, ct.delete(purge=1)))
    return dict(seen, ends=ends)


def mistakes(api):
    qemu = api.nodes(NODE).qemu
    return {
        "no such machine": failure(qemu(5999).config.get),
        "machine of an id in use": failure(qemu.create, vmid=201),
        "wrong parameters": failure(qemu.create, vmid=5998, cores=0, colour="red"),
        "no such method": failure(api.nodes(NODE).nothing.get),
        "no such node": failure(api.nodes("pve9").status.get),
        "node that is off": failure(api.nodes("pve3").status.get),
        "no such storage": failure(api.storage("nowhere").get),
    }


def node(api, name):
    """What a node says of itself, asked through the one that the connection is to."""
    n = api.nodes(name)
    return {
        "release": n.version.get()["release"],
        "up": n.status.get()["uptime"] > 0,
        "domain": n.dns.get()["search"],
        "bridges": [i["iface"] for i in n.network.get(type="bridge")],
        "storages": sorted(s["storage"] for s in n.storage.get(enabled=1)),
        "machines": sorted(g["vmid"] for g in n.qemu.get()),
        "containers": sorted(g["vmid"] for g in n.lxc.get()),
        "volumes": len(n.storage("local-lvm").content.get()),
        "services": len(n.services.get()),
        "samples": len(n.rrddata.get(timeframe="hour")) > 0,
    }


def whereabouts(api, vmid):
    """Node, status and volumes of a guest."""
    row = next(g for g in api.cluster.resources.get(type="vm") if g["vmid"] == vmid)
    g = getattr(api.nodes(row["node"]), row["type"])(vmid)
    content = api.nodes(row["node"]).storage("local-lvm").content.get(vmid=vmid)
    return [row["node"], g.status.current.get()["status"], sorted(v["volid"] for v in content)]


def moves(api):
    stopped = api.nodes("pve2").qemu(204)
    out = {"allowed": sorted(stopped.migrate.get()["allowed_nodes"])}
    out["ends"] = [
        wait(api, stopped.migrate.post(target="pve3")),
        wait(api, api.nodes("pve1").qemu(210).migrate.post(target="pve3", **{"online": 1, "with-local-disks": 1})),
        wait(api, api.nodes("pve2").lxc(102).migrate.post(target="pve1", restart=1, timeout=5)),
        # A disk on thin LVM that has snapshots stays where it is.
        wait(api, api.nodes("pve1").qemu(208).migrate.post(target="pve3")),
    ]
    out["whereabouts"] = [whereabouts(api, vmid) for vmid in (204, 210, 102, 208)]
    out["mistakes"] = [failure(stopped.config.get), failure(api.nodes("pve3").qemu(204).migrate.post, target="pve3"),
                       failure(api.nodes("pve3").qemu(204).migrate.post, target="pve9")]
    return out


def refused():
    try:
        connect(password="wrong")
    except AuthenticationError:
        return "AuthenticationError"
    return "let in"


def main():
    if sys.argv[1] == "password":
        api = connect(password=os.environ["PVE_PASSWORD"])
    else:
        api = connect(token_name=os.environ["PVE_TOKEN_NAME"], token_value=os.environ["PVE_TOKEN_VALUE"])
    if sys.argv[2] == "nodes":
        out = {"nodes": {n["node"]: node(api, n["node"]) for n in api.nodes.get()}, "moves": moves(api)}
    else:
        out = {"reads": reads(api), "machine": machine(api), "container": container(api), "mistakes": mistakes(api), "wrong password": refused()}
    json.dump(out, sys.stdout)


main()
