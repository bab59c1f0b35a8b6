//go:build !cgo

package core

// The package cannot be built without cgo. The compiler's error shows this name, which says what is missing.
var _ = lipc_needs_CGO_ENABLED_1_and_a_C_compiler
