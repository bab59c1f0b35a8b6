//go:build unix && !linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"runtime"
)

// listOptions are the options of the command list. Here there are none.
type listOptions struct{}

func (*listOptions) define(*flag.FlagSet) {}

func (*listOptions) entries() ([]entry, error) {
	return nil, fmt.Errorf("list: %w on %s: see lsof -U, sockstat -ul, fstat or netstat -f unix",
		errors.ErrUnsupported, runtime.GOOS)
}
