package inventory

import (
	"container/list"
	"context"
	"maps"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// configCacheSize bounds the parsed configurations in memory: some 5 KB each, and agents look at the same few guests again.
const configCacheSize = 256

// parsedConfig is a configuration's content with what answers need of it.
type parsedConfig struct {
	content pve.Config
	disks   []pve.Disk
	nics    []pve.NIC
}

// configCache keeps parsed configurations by content hash, least recently used out first. Content never changes under its hash.
type configCache struct {
	mu    sync.Mutex
	limit int
	order *list.List // of cacheEntry, most recent first
	items map[string]*list.Element
}

type cacheEntry struct {
	hash string
	cfg  *parsedConfig
}

func newConfigCache(limit int) *configCache {
	return &configCache{limit: limit, order: list.New(), items: map[string]*list.Element{}}
}

func (c *configCache) get(hash string) *parsedConfig {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.items[hash]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(cacheEntry).cfg
}

func (c *configCache) put(hash string, cfg *parsedConfig) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.items[hash] != nil {
		return
	}
	c.items[hash] = c.order.PushFront(cacheEntry{hash, cfg})
	for c.order.Len() > c.limit {
		last := c.order.Back()
		delete(c.items, c.order.Remove(last).(cacheEntry).hash)
	}
}

func parseContent(content pve.Config) *parsedConfig {
	return &parsedConfig{content: content, disks: content.Disks(), nics: content.NICs()}
}

// config is the parsed configuration under a hash, from memory or the store.
func (i *Inventory) config(ctx context.Context, hash string) (*parsedConfig, error) {
	if cfg := i.configs.get(hash); cfg != nil {
		return cfg, nil
	}
	st, err := i.openStore(ctx)
	if err != nil {
		return nil, err
	}
	raw, err := st.Content(ctx, hash)
	if err != nil {
		return nil, err
	}
	content, err := pve.DecodeConfig(raw)
	if err != nil {
		return nil, err
	}
	cfg := parseContent(content)
	i.configs.put(hash, cfg)
	return cfg, nil
}

// whole is the configuration as GET config answered it: the content with the digest and lock that stand beside it.
func (p *parsedConfig) whole(digest, lock string) pve.Config {
	out := maps.Clone(p.content)
	if digest != "" {
		out["digest"] = digest
	}
	if lock != "" {
		out["lock"] = lock
	}
	return out
}
