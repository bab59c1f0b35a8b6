package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// results has everything that was measured, as it is written to a file.
type results struct {
	Machine machine   `json:"machine"`
	Options options   `json:"options"`
	Works   []outcome `json:"works"`
	Missing []missing `json:"missing"`
	Failed  []failure `json:"failed"`
	Targets []verdict `json:"targets"`
}

// An outcome has the results of a work.
type outcome struct {
	work
	Reference string `json:"reference"` // the id of the contender that the others are divided by
	Rows      []row  `json:"rows"`      // sorted by ratio

	// Others is how many processors programs that have no part in it kept busy meanwhile.
	Others float64 `json:"others"`
}

// A row has the results of one contender in a work.
type row struct {
	ID   string `json:"id"`
	Name string `json:"name"`

	// For all works but "idle": the time of an operation in nanoseconds, in each round and summarized, and the
	// processor time and the allocations of both processes. Allocations are nil if the contender does not report them.
	Rounds      []float64 `json:"rounds,omitempty"`
	Time        *figure   `json:"time,omitempty"`
	CPU         float64   `json:"cpu,omitempty"`
	Allocations *float64  `json:"allocations,omitempty"`

	Idle *idle `json:"idle,omitempty"`

	// Ratio is the time, or the memory of an idle server, divided by that of the reference.
	Ratio *figure `json:"ratio,omitempty"`
}

// idle is what an idle connection takes: the usage with many connections less that with one.
type idle struct {
	Server usage `json:"server"`
	Client usage `json:"client"`
}

// usage is that of one process.
type usage struct {
	Pss     float64 `json:"pss"`     // bytes for each connection, with the process's part of shared memory
	Private float64 `json:"private"` // bytes for each connection, without shared memory
	Threads float64 `json:"threads"` // of the process
}

// A failure says why a contender did not do a work.
type failure struct {
	Work      string `json:"work"`
	Contender string `json:"contender"`
	Reason    string `json:"reason"`
}

// row returns a contender's row by its id, or nil.
func (o *outcome) row(id string) *row {
	i := slices.IndexFunc(o.Rows, func(r row) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	return &o.Rows[i]
}

// compare computes the ratios, and sorts by them.
func (o *outcome) compare() {
	if reference := o.row(o.Reference); reference != nil {
		for i := range o.Rows {
			o.Rows[i].Ratio = o.Rows[i].ratio(reference)
		}
	}
	slices.SortStableFunc(o.Rows, func(a, b row) int {
		if a.measure() < b.measure() {
			return -1
		}
		return 1
	})
}

// ratio returns that of a row to another, or nil if there is none.
func (r *row) ratio(to *row) *figure {
	var f figure
	if r.Idle != nil {
		if to.Idle.Server.Pss <= 0 { // its connections took no memory that can be measured
			return nil
		}
		quotient := r.Idle.Server.Pss / to.Idle.Server.Pss
		f = figure{quotient, quotient, quotient}
	} else {
		f = summarize(ratios(r.Rounds, to.Rounds))
	}
	return &f
}

// measure returns what rows are sorted by.
func (r *row) measure() float64 {
	switch {
	case r.Ratio != nil:
		return r.Ratio.Median
	case r.Idle != nil:
		return r.Idle.Server.Pss
	}
	return r.Time.Median
}

// outcome returns the outcome of a work by the work's name, or nil.
func (r *results) outcome(name string) *outcome {
	i := slices.IndexFunc(r.Works, func(o outcome) bool { return o.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Works[i]
}

func (r *results) write(file string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o666)
}

func readResults(file string) (*results, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r results
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &r, nil
}
