package pvesim

import (
	"slices"
	"sync/atomic"
	"time"
)

// TicketLife makes tickets end sooner than after two hours (F05).
func TicketLife(d time.Duration) Fault {
	return Fault{Name: "F05 tickets live " + d.String(), install: func(s *Sim) func() {
		s.ticketLife.Store(int64(d))
		return func() { s.ticketLife.Store(int64(ticketLife)) }
	}}
}

// TokenPowerless turns on privilege separation for a token (user@realm!name) that no ACL names: everything that it asks
// for is empty or forbidden (F07).
func TokenPowerless(tokenID string) Fault {
	var gone []Object
	var was bool
	return onWorld("F07 token "+tokenID+" without rights", func(w *World) {
		if t := w.token(tokenID); t != nil {
			was, t.PrivSep = t.PrivSep, true
		}
		gone = w.aclsOf(tokenID, "")
		w.RemoveACL("", tokenID)
	}, func(w *World) {
		if t := w.token(tokenID); t != nil {
			t.PrivSep = was
		}
		w.Access.ACL = append(w.Access.ACL, gone...)
	})
}

// RightsRevoked takes the ACL entries of a user, group or token away, all or those at one path (F08).
func RightsRevoked(ugid, path string) Fault {
	var gone []Object
	return onWorld("F08 rights of "+ugid+" revoked", func(w *World) {
		gone = w.aclsOf(ugid, path)
		w.RemoveACL(path, ugid)
	}, func(w *World) { w.Access.ACL = append(w.Access.ACL, gone...) })
}

func (w *World) aclsOf(ugid, path string) []Object {
	return slices.DeleteFunc(slices.Clone(w.Access.ACL), func(o Object) bool {
		return o["ugid"] != ugid || path != "" && o["path"] != path
	})
}

// token finds a token by user@realm!name, nil when there is none.
func (w *World) token(id string) *Token {
	for _, u := range w.Access.Users {
		for _, t := range u.Tokens {
			if u.ID+"!"+t.ID == id {
				return t
			}
		}
	}
	return nil
}

// AddressUnroutable gives a member an address that leads nowhere (F20; 192.0.2.1 is kept for documentation).
func AddressUnroutable(node string) Fault {
	was := map[string]string{}
	return onWorld("F20 address of "+node+" leads nowhere", func(w *World) {
		for _, n := range w.Nodes {
			if node == "" || n.Name == node {
				was[n.Name], n.IP = n.IP, "192.0.2.1"
			}
		}
	}, func(w *World) {
		for _, n := range w.Nodes {
			if ip, ok := was[n.Name]; ok {
				n.IP = ip
			}
		}
	})
}

// EntryDies ends a node's daemons at a request that its selector matches, after as many as After says: that request gets
// no answer and no connection is taken from then on, until the fault ends (F21). Whether it was carried out says Executes.
func EntryDies(node string) Fault {
	f := Fault{Name: "F21 entry node dies", Count: 1}
	var back atomic.Pointer[func()]
	f.before = func(s *Sim, _ *exchange) *response {
		end := s.AddFault(Refuse(node))
		back.Store(&end)
		return &response{status: 500, wire: wire{drop: true}}
	}
	f.install = func(*Sim) func() {
		return func() {
			if end := back.Load(); end != nil {
				(*end)()
			}
		}
	}
	return f
}

// StorageHangs makes what touches a storage, and the status list of all of them, occupy a worker for a time before it is
// answered (F39).
func StorageHangs(store string, by time.Duration) Fault {
	f := Fault{Name: "F39 storage " + store + " hangs", occupies: by}
	f.match = func(x *exchange) bool {
		segs := splitPath(x.apiPath)
		return len(segs) >= 3 && segs[0] == "nodes" && segs[2] == "storage" && (len(segs) == 3 || segs[3] == store)
	}
	return f
}

// NodeSlow makes a node's answers late (F40).
func NodeSlow(node string, by time.Duration) Fault {
	f := Delay(by)
	f.Name, f.Node = "F40 node "+node+" slow", node
	return f
}
