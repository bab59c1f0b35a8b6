//go:build unix && spin

package main

import (
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/bench/contender"
)

// spin is how long a receiver looks again and again before it waits.
const spin = 50 * time.Microsecond

func init() {
	lc, d := &ipc.ListenConfig{Spin: spin}, &ipc.Dialer{Spin: spin}
	variants["spin"] = stream(contender.Passing, lc, d)
	variants["messagespin"] = message(contender.Passing, lc, d)
}
