// Package core makes the calls into the C core, with Go's types in place of C's: one file for each role, as the C core
// has them. It holds no policy. Nobody else sees C's types.
package core

// #cgo !liblipc CFLAGS: -I${SRCDIR}/../../include
// #cgo !liblipc,windows LDFLAGS: -lntdll -ladvapi32
// #cgo liblipc pkg-config: lipc
import "C"

// The packages that carry the sources of the C core. To import them has the build cache see an edit of those, and
// "go mod vendor" copy them.
import (
	_ "github.com/lipc/ipc/csrc"
	_ "github.com/lipc/ipc/include"
)
