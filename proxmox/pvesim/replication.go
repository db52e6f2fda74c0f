package pvesim

// replicationDuties are the replications of guests that are on a node.
func (w *World) replicationDuties(*Node) []duty { return nil }
