// Package core calls the C core, with Go's types in place of C's. It has a file for each role, as the C core does. It
// holds no policy, and no other package sees C's types.
package core

// #cgo !liblipc CFLAGS: -I${SRCDIR}/../../include
// #cgo !liblipc,windows LDFLAGS: -lntdll -ladvapi32
// #cgo liblipc pkg-config: lipc
import "C"

// The imports make an edit of the C sources and headers reach the build cache, and make "go mod vendor" copy them.
import (
	_ "github.com/lipc/ipc/csrc"
	_ "github.com/lipc/ipc/include"
)
