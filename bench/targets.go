package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A goal is a target of any kind.
type goal interface {
	title() string                      // as printed
	needs() (work string, ids []string) // what has to be measured for it; nothing: it takes what is
	judge(r *results) verdict
}

// A target is a limit for the ratio of two contenders in a work.
type target struct {
	work  string
	name  string
	of    string   // the id of a contender
	by    []string // the ids of those whose best it is compared with
	rate  bool     // compare rates, not times or memory
	limit float64  // the most for times and memory, the least for rates
}

// sockets are the contenders that use Unix sockets, without lipc and the floor: no pipes, no TCP.
var sockets = []string{"net unix", "libuv unix", "interprocess sync", "interprocess tokio"}

// copying and copyingInC are the channels that zero copy is compared with.
var (
	copying    = []string{"ipc channel", "ipc channelstream"}
	copyingInC = []string{"lipc channel", "lipc channelstream"}
)

var targets = []target{
	{"round trip, 64 B", "ipc, Spin ÷ net", "ipc spin", []string{"net unix"}, false, 0.25},
	{"round trip, 64 B", "ipc, Spin ÷ C, polling", "ipc spin", []string{"floor spin"}, false, 2.5},
	{"round trip, 64 B", "lipc in C, spinning ÷ C, polling", "lipc spin", []string{"floor spin"}, false, 1.1},
	{"round trip, 64 B", "ipc ÷ net", "ipc unix", []string{"net unix"}, false, 1.05},
	{"stream, 64 KiB", "ipc ÷ best on Unix sockets", "ipc unix", sockets, true, 1},
	{"stream, 64 KiB", "ipc ÷ C, system calls", "ipc unix", []string{"floor unix"}, true, 0.97},
	{"stream, 1 MiB", "ipc ÷ best on Unix sockets", "ipc unix", sockets, true, 1},
	{"stream, 1 MiB", "ipc ÷ C, system calls", "ipc unix", []string{"floor unix"}, true, 0.97},
	{"messages, 64 B", "ipc ÷ net, unixpacket", "ipc message", []string{"net unixpacket"}, true, 1.05},
	{"messages, 64 B", "ipc ÷ tokio-seqpacket", "ipc message", []string{"tokio-seqpacket seqpacket"}, true, 1.05},
	{"connect", "ipc ÷ net", "ipc unix", []string{"net unix"}, true, 1},

	{"round trip, 64 B", "ipc, channel ÷ net", "ipc channel", []string{"net unix"}, false, 0.05},
	{"round trip, 64 B", "lipc in C, channel ÷ C, system calls", "lipc channel", []string{"floor unix"}, false, 0.06},
	{"round trip, 64 B", "ipc, channel, no spin ÷ net", "ipc channelnospin", []string{"net unix"}, false, 1.6},
	{"round trip, 64 B", "lipc in C, channel, no spin ÷ C, system calls", "lipc channelnospin",
		[]string{"floor unix"}, false, 1.6},
	{"round trip, 64 B, beside busy programs", "ipc, channel ÷ net", "ipc channel", []string{"net unix"}, false, 1.5},
	{"round trip, 64 B, beside busy programs", "lipc in C, channel ÷ C, system calls", "lipc channel",
		[]string{"floor unix"}, false, 1.5},
	{"stream, 64 B", "ipc, channel ÷ net", "ipc channel", []string{"net unix"}, false, 0.12},
	{"stream, 64 B", "ipc, channel, batches ÷ net", "ipc channelbatch", []string{"net unix"}, false, 0.04},
	{"stream, 64 B", "lipc in C, channel, no membarrier ÷ net", "nomembarrier channel",
		[]string{"net unix"}, false, 0.05},
	{"stream, 64 B", "lipc in C, channel, membarrier ÷ net", "lipc channel", []string{"net unix"}, false, 0.02},
	{"messages, 64 B", "ipc, channel, batches ÷ ZeroMQ", "ipc channelbatch", []string{"zeromq dealer"}, true, 5},
	{"messages, 64 B", "lipc in C, channel ÷ ZeroMQ", "lipc channel", []string{"zeromq dealer"}, true, 5},
	{"messages, 64 B", "ipc, channel, batches ÷ tokio-seqpacket", "ipc channelbatch",
		[]string{"tokio-seqpacket seqpacket"}, true, 10},
	{"messages, 64 B", "lipc in C, channel ÷ tokio-seqpacket", "lipc channel",
		[]string{"tokio-seqpacket seqpacket"}, true, 10},
	{"stream, 64 KiB", "ipc, channel ÷ net", "ipc channel", []string{"net unix"}, false, 0.45},
	{"stream, 64 KiB", "ipc, channel, stream ÷ net", "ipc channelstream", []string{"net unix"}, false, 0.45},
	{"stream, 64 KiB", "ipc, channel, zero copy ÷ copying", "ipc channelzerocopy", copying, false, 1},
	{"stream, 64 KiB", "lipc in C, channel ÷ net", "lipc channel", []string{"net unix"}, false, 0.45},
	{"stream, 64 KiB", "lipc in C, channel, stream ÷ net", "lipc channelstream", []string{"net unix"}, false, 0.45},
	{"stream, 64 KiB", "lipc in C, channel, zero copy ÷ copying", "lipc channelzerocopy", copyingInC, false, 1},
	{"stream, 1 MiB", "ipc, channel ÷ net", "ipc channel", []string{"net unix"}, false, 0.55},
	{"stream, 1 MiB", "ipc, channel, stream ÷ net", "ipc channelstream", []string{"net unix"}, false, 0.55},
	{"stream, 1 MiB", "ipc, channel, zero copy ÷ copying", "ipc channelzerocopy", copying, false, 1},
	{"stream, 1 MiB", "lipc in C, channel ÷ net", "lipc channel", []string{"net unix"}, false, 0.55},
	{"stream, 1 MiB", "lipc in C, channel, stream ÷ net", "lipc channelstream", []string{"net unix"}, false, 0.55},
	{"stream, 1 MiB", "lipc in C, channel, zero copy ÷ copying", "lipc channelzerocopy", copyingInC, false, 1},

	{"round trip, 64 B, beside busy programs", "ipc, Spin ÷ net", "ipc spin", []string{"net unix"}, false, 1.5},
	{"round trip, 64 B, beside busy programs", "lipc in C, spinning ÷ lipc in C", "lipc spin", []string{"lipc unix"}, false, 1.5},
	{"idle, 10,000 connections", "memory of the server, ipc ÷ net", "ipc unix", []string{"net unix"}, false, 1},
}

// allocationLimit is the most allocations that an operation may have: the runtime has some of its own now and then.
const allocationLimit = 0.01

// A verdict says whether a target was met.
type verdict struct {
	Name   string  `json:"name"`
	Limit  float64 `json:"limit"`
	Least  bool    `json:"least"` // the limit is the least, not the most
	Figure *figure `json:"figure,omitempty"`
	Met    bool    `json:"met"`
	Note   string  `json:"note,omitempty"` // why there is no figure, or what it was measured with
}

func newVerdict(name string, least bool, limit float64) verdict {
	return verdict{Name: name, Least: least, Limit: limit}
}

// with returns the verdict on a figure.
func (v verdict) with(f figure, note string) verdict {
	v.Figure, v.Note = &f, note
	v.Met = f.Median <= v.Limit
	if v.Least {
		v.Met = f.Median >= v.Limit
	}
	return v
}

// without returns the verdict where there is no figure.
func (v verdict) without(note string) verdict {
	v.Note = note
	return v
}

// goals returns all targets, or those whose title the regular expression matches.
func goals(filter *regexp.Regexp) []goal {
	var all []goal
	for _, t := range targets {
		all = append(all, &t)
	}
	for _, c := range contenders {
		if c.Program == "ipc" {
			all = append(all, &allocationTarget{c})
		}
	}
	for _, t := range memoryTargets {
		all = append(all, &t)
	}
	return slices.DeleteFunc(all, func(g goal) bool { return !filter.MatchString(g.title()) })
}

// needs reports whether one of the goals is about the contender in the work, or divides by it there.
func needs(goals []goal, w *work, c *contender) bool {
	return slices.ContainsFunc(goals, func(g goal) bool {
		name, ids := g.needs()
		return name == w.Name && (slices.Contains(ids, c.id()) || w.reference() == c.id())
	})
}

// judge compares the results with the goals.
func judge(r *results, goals []goal) []verdict {
	var all []verdict
	for _, g := range goals {
		all = append(all, g.judge(r))
	}
	return all
}

// A memoryTarget is a limit for the memory of a connection, in KiB.
type memoryTarget struct {
	work, name, of string // as in target
	sides          func(*idle) float64
	limit          float64
}

// Of an idle connection the larger side counts. Of one that is not idle both do, as they share its memory.
var memoryTargets = []memoryTarget{
	{"idle, 1,000 connections", "KiB of ipc, channel", "ipc channel", (*idle).larger, 10},
	{"idle, 1,000 connections", "KiB of lipc in C, channel", "lipc channel", (*idle).larger, 10},
	{"chatty, 20 connections", "KiB of ipc, channel, both sides", "ipc channel", (*idle).sum, 16},
	{"chatty, 20 connections", "KiB of lipc in C, channel, both sides", "lipc channel", (*idle).sum, 16},
}

func (i *idle) larger() float64 { return max(i.Server.Pss, i.Client.Pss) }
func (i *idle) sum() float64    { return i.Server.Pss + i.Client.Pss }

func (t *memoryTarget) title() string             { return t.work + ": " + t.name }
func (t *memoryTarget) needs() (string, []string) { return t.work, []string{t.of} }

func (t *memoryTarget) judge(r *results) verdict {
	v := newVerdict(t.title(), false, t.limit)
	o := r.outcome(t.work)
	if o == nil {
		return v.without("not measured")
	}
	of := o.row(t.of)
	if of == nil {
		return v.without("not measured: " + t.of)
	}
	kib := t.sides(of.Idle) / 1024
	return v.with(figure{kib, kib, kib}, "")
}

func (t *target) title() string             { return t.work + ": " + t.name }
func (t *target) needs() (string, []string) { return t.work, append(slices.Clip(t.by), t.of) }

func (t *target) judge(r *results) verdict {
	v := newVerdict(t.title(), t.rate, t.limit)
	o := r.outcome(t.work)
	if o == nil {
		return v.without("not measured")
	}
	of, by := o.row(t.of), o.best(t.by)
	if of == nil {
		return v.without("not measured: " + t.of)
	}
	if by == nil {
		return v.without("not measured: " + strings.Join(t.by, ", "))
	}
	var note string
	if len(t.by) > 1 {
		note = by.Name
	}
	if t.rate {
		of, by = by, of
	}
	f := of.ratio(by)
	if f == nil {
		return v.without("not measured: no memory to compare with")
	}
	return v.with(*f, note)
}

// best returns the fastest of some contenders, or nil if none of them was measured.
func (o *outcome) best(ids []string) *row {
	var best *row
	for i := range o.Rows {
		r := &o.Rows[i]
		if slices.Contains(ids, r.ID) && (best == nil || r.Time.Median < best.Time.Median) {
			best = r
		}
	}
	return best
}

// An allocationTarget is about the work in which a contender allocates most. Connecting may allocate, and so may
// receiving files, each of which becomes an *os.File.
type allocationTarget struct{ contender }

func (t *allocationTarget) title() string             { return "allocations: " + t.Name }
func (t *allocationTarget) needs() (string, []string) { return "", nil }

func (t *allocationTarget) judge(r *results) verdict {
	v := newVerdict(t.title(), false, allocationLimit).without("not measured")
	for _, o := range r.Works {
		one := o.row(t.id())
		if one == nil || one.Allocations == nil || o.Kind == "connect" || o.Kind == "files" {
			continue
		}
		if most := *one.Allocations; v.Figure == nil || most > v.Figure.Median {
			v = v.with(figure{most, most, most}, "most: "+o.Name)
		}
	}
	return v
}

// figures returns the limit and what was measured.
func (v *verdict) figures() string {
	sign := "≤"
	if v.Least {
		sign = "≥"
	}
	wanted := fmt.Sprintf("%s %.4g", sign, v.Limit)
	if v.Figure == nil {
		return wanted + "\t\t"
	}
	got := fmt.Sprintf("%s\t%.3f", wanted, v.Figure.Median)
	if v.Figure.Low == v.Figure.High {
		return got + "\t"
	}
	return fmt.Sprintf("%s\t(%.3f to %.3f)", got, v.Figure.Low, v.Figure.High)
}

func (v *verdict) judgement() string {
	judgement := "NOT met"
	switch {
	case v.Figure == nil:
		return v.Note
	case v.Met:
		judgement = "met"
	}
	if v.Note != "" {
		judgement += " (" + v.Note + ")"
	}
	return judgement
}
