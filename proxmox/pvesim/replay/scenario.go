package replay

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// exchange is one recorded file NNN.json.
type exchange struct {
	N        int               `json:"n"`
	As       string            `json:"as"`
	Request  request           `json:"request"`
	Response response          `json:"response"`
	AfterS   float64           `json:"after_s"`
	ElapsedS float64           `json:"elapsed_s"`
	Poll     *poll             `json:"poll"`
	Parallel any               `json:"parallel"`
	Captures map[string]string `json:"captures"`
	Volatile []string          `json:"volatile"`
	Normal   []string          `json:"normalised"`
	Optional []string          `json:"optional"`
}

type request struct {
	Method      string            `json:"method"`
	Path        string            `json:"path"`
	Format      string            `json:"format"`
	Encoding    string            `json:"encoding"`
	Params      map[string]any    `json:"params"`
	Query       map[string]any    `json:"query"`
	Body        *string           `json:"body"`
	Repeat      int               `json:"repeat"`
	ContentType string            `json:"content_type"`
	Headers     map[string]string `json:"headers"`
}

type response struct {
	Status  int               `json:"status"`
	Reason  string            `json:"reason"`
	Headers map[string]string `json:"headers"`
	JSON    json.RawMessage   `json:"json"`
	Text    *string           `json:"text"`
}

type poll struct {
	Until     map[string]any `json:"until"`
	IntervalS float64        `json:"interval_s"`
	TimeoutS  float64        `json:"timeout_s"`
}

// load reads a scenario's world and its exchanges in order.
func load(dir string) (*pvesim.World, []*exchange, error) {
	f, err := os.Open(filepath.Join(dir, "world.json"))
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	w, err := pvesim.LoadWorld(f)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", dir, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "[0-9]*.json"))
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(files)
	var list []*exchange
	for _, name := range files {
		raw, err := os.ReadFile(name) //nolint:gosec // the caller names the folder
		if err != nil {
			return nil, nil, err
		}
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.UseNumber()
		x := &exchange{}
		if err := d.Decode(x); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, x)
	}
	return w, list, nil
}
