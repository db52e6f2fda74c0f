// Package iac writes what a cluster is as code. World is the model: one cluster as the store keeps it, nothing dropped, in one order. An
// Emitter makes files of it; it is a pure function: same World, same bytes, no clock, no network, no request to Proxmox VE.
//
//	Load (store) -> World -> Emitter -> Result (files, new addresses, coverage)
//
// Names that code gives to objects are addresses: given once (Assign), kept in the store for the object's life.
package iac
