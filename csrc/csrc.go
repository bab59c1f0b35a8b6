// Package csrc carries the sources of the C core, which internal/core compiles. It has nothing for programs to use.
package csrc

import "embed"

// Naming the sources makes an edit of them reach the build cache, and makes "go mod vendor" copy them. Nothing refers to
// the variable, so no program carries the files.
//
//go:embed all.c *.h portable unix windows
var _ embed.FS
