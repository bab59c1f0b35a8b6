package main

import (
	"fmt"
	"strconv"
	"time"
)

// A report is what a client prints after a round.
type report struct {
	operations  float64
	nanoseconds float64
	allocations float64 // negative if the client does not count them
}

func parseReport(line string) (report, error) {
	var r report
	var rest string
	n, _ := fmt.Sscan(line+" end", &r.operations, &r.nanoseconds, &r.allocations, &rest)
	if n != 4 || rest != "end" || r.operations <= 0 || r.nanoseconds <= 0 {
		return report{}, fmt.Errorf("the client reported %q", line)
	}
	return r, nil
}

// parseAllocations parses a server's count, which is negative if the server does not count.
func parseAllocations(line string) (float64, error) {
	n, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the server reported %q", line)
	}
	return float64(n), nil
}

// spent is what a server and its client have taken so far.
type spent struct {
	cpu         time.Duration // of both
	allocations float64       // of the server; negative if it does not count them
}

// less returns what was taken since then.
func (s spent) less(then spent) spent {
	s.cpu = max(0, s.cpu-then.cpu)
	if s.allocations >= 0 {
		s.allocations = max(0, s.allocations-then.allocations)
	}
	return s
}

// A sample is what an operation took in one round. Allocations are negative if they are not known.
type sample struct{ nanoseconds, cpu, allocations float64 }

// sample divides by the number of operations.
func (r report) sample(s spent) sample {
	one := sample{r.nanoseconds / r.operations, float64(s.cpu) / r.operations, -1}
	if r.allocations >= 0 && s.allocations >= 0 {
		one.allocations = (r.allocations + s.allocations) / r.operations
	}
	return one
}
