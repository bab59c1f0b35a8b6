package main

import (
	"slices"
	"time"
)

// A work is a task that contenders are compared in. Kind, Size and Count are arguments of their programs.
type work struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Size  int    `json:"size"`  // of a unit, in bytes
	Count int    `json:"count"` // of connections
	Group string `json:"group"`
	Hogs  bool   `json:"hogs,omitempty"` // a program that never waits runs beside it on each processor
}

// works has all of them, in the order in which they are printed.
var works = []work{
	{"round trip, 64 B", "roundtrip", 64, 1, streams, false},
	{"round trip, 4 KiB", "roundtrip", 4 << 10, 1, streams, false},
	{"round trip, 64 KiB", "roundtrip", 64 << 10, 1, streams, false},
	{"round trip, 1 MiB", "roundtrip", 1 << 20, 1, streams, false},
	{"message round trip, 64 B", "roundtrip", 64, 1, messages, false},
	{"message round trip, 4 KiB", "roundtrip", 4 << 10, 1, messages, false},
	{"message round trip, 64 KiB", "roundtrip", 64 << 10, 1, messages, false}, // the most by default
	{"stream, 64 B", "stream", 64, 1, streams, false},
	{"buffered stream, 64 B", "buffered", 64, 1, streams, false},
	{"stream, 64 KiB", "stream", 64 << 10, 1, streams, false},
	{"stream, 1 MiB", "stream", 1 << 20, 1, streams, false},
	{"messages, 64 B", "stream", 64, 1, messages, false},
	{"messages, 4 KiB", "stream", 4 << 10, 1, messages, false},
	{"connect", "connect", 1, 1, streams, false},
	{"open files", "files", 1, 1, streams, false},
	{"open files in messages", "files", 1, 1, messages, false},
	{"idle, 1,000 connections", "idle", 64, 1000, streams, false},
	{"idle, 10,000 connections", "idle", 64, 10000, streams, false},
	{"chatty, 20 connections", "chatty", 64, 20, streams, false},
	{"busy, 1 connection", "busy", 64, 1, streams, false},
	{"busy, 10 connections", "busy", 64, 10, streams, false},
	{"busy, 100 connections", "busy", 64, 100, streams, false},
	{"busy, 1,000 connections", "busy", 64, 1000, streams, false},
	{"round trip, 64 B, beside busy programs", "roundtrip", 64, 1, streams, true}, // last, as it disturbs what follows
}

// besideHogs are the contenders that take part in works with Hogs, which are about polling.
var besideHogs = []string{"ipc unix", "ipc spin", "ipc channel", "net unix", "floor unix", "lipc unix", "lipc spin",
	"lipc channel", "iceoryx2 poll", "iceoryx2 event"}

// hogRound is the least length of a round with Hogs: the system gives each program milliseconds at a time.
const hogRound = 200 * time.Millisecond

// round returns how long a round takes if length was asked for.
func (w *work) round(length time.Duration) time.Duration {
	if w.Hogs {
		return max(length, hogRound)
	}
	return length
}

// reference returns the id of the contender that the others are compared with.
func (w *work) reference() string {
	switch {
	case w.Kind == "buffered":
		return "ipc bufio"
	case w.Group == messages:
		return "ipc message"
	}
	return "ipc unix"
}

// admits reports whether the contender is to be tried.
func (w *work) admits(c *contender) bool {
	switch {
	case w.Hogs:
		return slices.Contains(besideHogs, c.id())
	case c.Only != "":
		return w.Kind == c.Only
	case w.Kind == "buffered" && (c.id() == "ipc unix" || c.id() == "net unix"):
		return false // they have a variant for it
	case c.Few && w.Kind == "idle" && w.Count > 1000:
		return false
	}
	return c.Group == w.Group || c.Group == both
}

// resting reports whether the work is about the memory of connections without traffic, and not about time.
func (w *work) resting() bool { return w.Kind == "idle" || w.Kind == "chatty" }

// bytes reports whether the rate is given in bytes, not in operations per second.
func (w *work) bytes() bool { return w.Kind == "buffered" || w.Kind == "stream" && w.Group == streams }
