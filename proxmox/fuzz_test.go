package proxmox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// canned answers everything with one body, below the whole chain's top.
type canned []byte

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Status: "200 OK", Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(c))}, nil
}

// FuzzReads feeds every typed read one answer: each returns data or an error with a code, never both nothing and no error for a list,
// and never panics.
func FuzzReads(f *testing.F) {
	for _, s := range []string{`{"data":null}`, `{"data":[]}`, `{"data":{}}`, `{"data":[{"id":"qemu/1","vmid":"1","cpu":"NaN"}]}`, `{"data":[{"n":1,"t":"x"}],"total":"1"}`,
		`{"data":{"result":[{"name":1,"ip-addresses":[{"prefix":"8"}]}]}}`, `{"data":{"/":{"VM.Audit":1}}}`, `{"data":1e308}`, `{"data":"NaN","data":[]}`, `{`, ``,
		`{"data":[{"name":"s","snaptime":1.5e9}]}`, `{"data":{"name":"a","name":"b"}}`} {
		f.Add([]byte(s))
	}
	client, err := New(ClusterConfig{Endpoints: []string{"pve1"}, Token: redact.NewSecret(testToken)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := &Client{set: client.set, opts: client.opts, log: client.log, ends: client.ends, auth: client.auth, memo: client.memo}
		c.top = &judge{next: canned(body), set: c.set, now: c.opts.now}
		ctx := t.Context()
		got := map[string]error{}
		isNull := func() bool {
			var e envelope
			return json.Unmarshal(body, &e) == nil && (len(e.Data) == 0 || string(e.Data) == "null")
		}()
		rows, _, err := c.Resources(ctx, "")
		got["list resources"] = err
		if err != nil && rows != nil {
			t.Error("rows beside an error")
		}
		_, got["version"] = c.Version(ctx)
		_, got["list status"] = c.ClusterStatus(ctx)
		_, got["list storage"] = c.StorageDefs(ctx)
		_, got["list tasks"] = c.ClusterTasks(ctx)
		_, got["list log"] = c.ClusterLog(ctx, 3)
		_, got["list pools"] = c.Pools(ctx)
		_, got["list not backed up"] = c.NotBackedUp(ctx)
		_, got["list jobs"] = c.BackupJobs(ctx)
		_, got["permissions"] = c.Permissions(ctx)
		_, got["node"] = c.NodeStatus(ctx, "pve1")
		_, got["list node storage"] = c.NodeStorage(ctx, "pve1")
		_, got["list node tasks"] = c.NodeTasks(ctx, "pve1", NodeTaskFilter{VMID: 1})
		_, got["list content"] = c.StorageContent(ctx, "pve1", "local", "iso")
		_, got["list disks"] = c.NodeDisks(ctx, "pve1")
		_, got["list zfs"] = c.ZFSPools(ctx, "pve1")
		_, got["list thin pools"] = c.ThinPools(ctx, "pve1")
		_, got["list services"] = c.NodeServices(ctx, "pve1")
		_, got["list updates"] = c.NodeUpdates(ctx, "pve1")
		_, got["list certificates"] = c.NodeCertificates(ctx, "pve1")
		_, got["time"] = c.NodeTime(ctx, "pve1")
		_, got["list network"] = c.NodeNetwork(ctx, "pve1")
		_, got["list zones"] = c.SDNZones(ctx)
		_, got["list vnets"] = c.SDNVnets(ctx)
		_, got["config"] = c.GuestConfig(ctx, "pve1", pve.Qemu, 100)
		_, got["guest"] = c.GuestStatus(ctx, "pve1", pve.LXC, 100)
		_, got["list snapshots"] = c.Snapshots(ctx, "pve1", pve.Qemu, 100)
		_, got["agent"] = c.GuestAddresses(ctx, "pve1", pve.Qemu, 100)
		_, got["interfaces"] = c.GuestAddresses(ctx, "pve1", pve.LXC, 100)
		_, got["task"] = c.TaskStatus(ctx, upid)
		_, _, got["list task log"] = c.TaskLog(ctx, upid, 0, 0)
		for name, err := range got {
			if err != nil && fault.CodeOf(err) != fault.BadAnswer {
				t.Errorf("%s: %s %v", name, fault.CodeOf(err), err)
			}
			if isNull && err == nil && name != "interfaces" {
				t.Errorf("%s: null was taken for an answer", name)
			}
			if err != nil && errors.Is(err, io.EOF) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
