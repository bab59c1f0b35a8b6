//go:build !linux

package main

import (
	"context"
	"fmt"
	"runtime"
)

func measure(context.Context, *options, []contender, *results) error {
	return fmt.Errorf("measures on Linux alone, not on %s", runtime.GOOS)
}
