//go:build cgo

package ipc

// #cgo !liblipc CFLAGS: -I${SRCDIR}/include
// #cgo !liblipc,windows LDFLAGS: -lntdll -ladvapi32
// #cgo liblipc pkg-config: lipc
import "C"

import "embed"

// The sources of the C core. Naming them here makes an edit below either folder reach the build cache, and makes
// "go mod vendor" copy both. Nothing refers to the variable, so no program carries the files.
//
//go:embed csrc include
var _ embed.FS
