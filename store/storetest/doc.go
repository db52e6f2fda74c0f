// Package storetest is the one conformance suite of the state store: what every database behind it must do, written against the
// interface alone. A database passes when its test file hands Run a Backend.
package storetest
