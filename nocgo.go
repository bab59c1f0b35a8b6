//go:build !cgo

package ipc

// Package ipc is built on a C library. The name says what to do.
var _ = lipc_needs_CGO_ENABLED_1_and_a_C_compiler
