//go:build !cgo

package core

// The package is built on a C library. The name says what to do.
var _ = lipc_needs_CGO_ENABLED_1_and_a_C_compiler
