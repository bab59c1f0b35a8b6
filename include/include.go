// Package include contains the headers of the C library, with which internal/core is compiled. It has nothing for Go
// programs to use.
package include

import "embed"

// See the sources in package csrc.
//
//go:embed *.h
var _ embed.FS
