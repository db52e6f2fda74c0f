// Package app is the composition root: it alone imports everything, builds the parts from the configuration, hands the doors small
// interfaces, and holds the commands outside the tool table (serve, sync, doctor, init, demo, db, sim).
package app
