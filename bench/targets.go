package main

import (
	"fmt"
	"slices"
	"strings"
)

// A target is a limit for the ratio of two contenders in a work.
type target struct {
	work  string
	name  string
	of    string   // the id of a contender
	by    []string // the ids of those whose best it is compared with
	rate  bool     // compare rates, not times
	limit float64  // the most for times, the least for rates
}

// sockets are the contenders that use Unix sockets, without lipc and the floor: no pipes, no TCP.
var sockets = []string{"net unix", "libuv unix", "interprocess sync", "interprocess tokio"}

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
	{"round trip, 64 B, beside busy programs", "ipc, Spin ÷ net", "ipc spin", []string{"net unix"}, false, 1.5},
	{"round trip, 64 B, beside busy programs", "lipc in C, spinning ÷ lipc in C", "lipc spin", []string{"lipc unix"}, false, 1.5},
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

// judge compares the results with all targets.
func judge(r *results) []verdict {
	var all []verdict
	for _, t := range targets {
		all = append(all, t.judge(r))
	}
	for _, c := range contenders {
		if c.Program == "ipc" {
			all = append(all, judgeAllocations(r, &c))
		}
	}
	return append(all, judgeMemory(r))
}

func (t *target) judge(r *results) verdict {
	v := newVerdict(t.work+": "+t.name, t.rate, t.limit)
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
		return v.with(summarize(ratios(by.Rounds, of.Rounds)), note)
	}
	return v.with(summarize(ratios(of.Rounds, by.Rounds)), note)
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

// judgeAllocations takes the work in which the contender allocates most. Connecting may allocate, and so may receiving
// files, each of which becomes an *os.File.
func judgeAllocations(r *results, c *contender) verdict {
	v := newVerdict("allocations: "+c.Name, false, allocationLimit).without("not measured")
	for _, o := range r.Works {
		one := o.row(c.id())
		if one == nil || one.Allocations == nil || o.Kind == "connect" || o.Kind == "files" {
			continue
		}
		if most := *one.Allocations; v.Figure == nil || most > v.Figure.Median {
			v = v.with(figure{most, most, most}, "most: "+o.Name)
		}
	}
	return v
}

func judgeMemory(r *results) verdict {
	const work = "idle, 10,000 connections"
	v := newVerdict(work+": memory of the server, ipc ÷ net", false, 1)
	o := r.outcome(work)
	if o == nil {
		return v.without("not measured")
	}
	of, by := o.row("ipc unix"), o.row("net unix")
	if of == nil || by == nil || by.Idle.Server.Pss <= 0 {
		return v.without("not measured")
	}
	return v.with(*of.ratio(by), "")
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
