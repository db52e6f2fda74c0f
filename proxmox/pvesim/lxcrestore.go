package pvesim

// restoreLXC makes a container from a backup. All that fails at once was checked; options are those of the request, as
// the configuration holds them.
func (c *call) restoreLXC(r *lxcRequest, _ Object) (any, error) {
	return nil, fail("%srestoring backups is not simulated", r.verb())
}
