package proxmox

import (
	"errors"
	"fmt"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Pool holds one client per configured cluster.
type Pool struct {
	names   []string
	clients map[string]*Client
}

// NewPool builds a client per cluster; it touches no network. The problems of all clusters are reported in one error.
func NewPool(cfgs []ClusterConfig, opts ...Option) (*Pool, error) {
	p := &Pool{clients: map[string]*Client{}}
	var problems []error
	if len(cfgs) == 0 {
		problems = append(problems, errors.New("no cluster is configured: set PROXMOX_VE_ENDPOINT and PROXMOX_VE_API_TOKEN"))
	}
	for _, cfg := range cfgs {
		c, err := New(cfg, opts...)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if _, dup := p.clients[c.Name()]; dup {
			problems = append(problems, fmt.Errorf("two clusters are called %q", c.Name()))
			continue
		}
		p.names = append(p.names, c.Name())
		p.clients[c.Name()] = c
	}
	if err := errors.Join(problems...); err != nil {
		p.Close()
		return nil, &fault.Error{Code: fault.Config, Message: err.Error(), Err: err}
	}
	return p, nil
}

// Get returns the client of a cluster; "" means the only one. fault.NotFound or fault.Ambiguous otherwise.
func (p *Pool) Get(name string) (*Client, error) {
	if name == "" {
		if len(p.names) == 1 {
			return p.clients[p.names[0]], nil
		}
		return nil, fault.New(fault.Ambiguous, "several clusters are configured: name one of %v", p.names)
	}
	if c, ok := p.clients[name]; ok {
		return c, nil
	}
	return nil, fault.New(fault.NotFound, "no cluster %q is configured; there are %v", name, p.names)
}

// Names lists the clusters in the order of the configuration.
func (p *Pool) Names() []string { return append([]string(nil), p.names...) }

// Close closes all clients.
func (p *Pool) Close() {
	for _, c := range p.clients {
		c.Close()
	}
}
