// Package csrc contains the sources of the C core, which internal/core compiles. It has nothing for programs to use.
package csrc

import "embed"

// The pattern makes an edit of the sources reach the build cache, and makes "go mod vendor" copy them. Nothing refers
// to the variable, so no program contains the files.
//
//go:embed all.c *.h portable unix windows
var _ embed.FS
