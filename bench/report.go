package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

func (m machine) String() string {
	return fmt.Sprintf("%s %s, %d × %s, %s", m.System, m.Kernel, m.CPUs, m.Processor, m.Go)
}

func printHeader(r *results) {
	fmt.Println(r.Machine)
	fmt.Printf("%d rounds of %d ms. Medians; ± is half of the distance between the quartiles.\n"+
		"The ratio is the contender's time divided by that of lipc in Go, in the median of the rounds.\n"+
		"CPU is that of both processes; processors, how many they kept busy. %v\n",
		r.Options.Rounds, r.Options.Millis, r.Options.pin)
}

// printOutcome prints the table of a work.
func printOutcome(o *outcome) {
	fmt.Printf("\n%s%s\n", o.Name, disturbance(o))
	if o.resting() {
		printIdle(o)
		return
	}
	t := newTable(o)
	t.line("contender", "time", "±", rateTitle(o), "ratio", "CPU", "processors", "allocations")
	for _, r := range o.Rows {
		allocations := "–"
		if r.Allocations != nil {
			allocations = fmt.Sprintf("%.2f", *r.Allocations)
		}
		t.line(r.Name, duration(r.Time.Median), fmt.Sprintf("%.0f %%", 100*r.Time.spread()), rate(o, r.Time.Median),
			ratio(r.Ratio), duration(r.CPU),
			fmt.Sprintf("%.2f", r.CPU/r.Time.Median), allocations)
	}
	t.Flush()
}

// disturbance says that the machine was not quiet.
func disturbance(o *outcome) string {
	if o.Others < 0.1 {
		return ""
	}
	return fmt.Sprintf(" (other programs kept %.1f processors busy)", o.Others)
}

func printIdle(o *outcome) {
	t := newTable(o)
	t.line("KiB for each connection", "server Pss", "private", "ratio", "client Pss", "private", "threads more", "client's")
	kib := func(bytes float64) string { return fmt.Sprintf("%.2f", bytes/1024) }
	for _, r := range o.Rows {
		server, client := r.Idle.Server, r.Idle.Client
		t.line(r.Name, kib(server.Pss), kib(server.Private), ratio(r.Ratio), kib(client.Pss), kib(client.Private),
			fmt.Sprintf("%.0f", server.Threads), fmt.Sprintf("%.0f", client.Threads))
	}
	t.Flush()
}

// A table has a column of names, then columns of figures, aligned to the right.
type table struct {
	*tabwriter.Writer
	width int
}

func newTable(o *outcome) *table {
	width := len("KiB for each connection")
	for _, r := range o.Rows {
		width = max(width, utf8.RuneCountInString(r.Name))
	}
	return &table{tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight), width}
}

func (t *table) line(name string, cells ...string) {
	fmt.Fprintf(t, "%-*s\t%s\t\n", t.width, name, strings.Join(cells, "\t"))
}

// rateTitle is empty for a work whose rate adds nothing to its time.
func rateTitle(o *outcome) string {
	switch {
	case o.bytes():
		return "GiB/s"
	case o.Kind != "roundtrip":
		return "per second"
	}
	return ""
}

func rate(o *outcome, nanoseconds float64) string {
	switch {
	case o.bytes():
		return fmt.Sprintf("%.2f", float64(o.Size)/nanoseconds*1e9/(1<<30))
	case o.Kind != "roundtrip":
		return thousands(1e9 / nanoseconds)
	}
	return ""
}

// thousands formats a number without fraction, with commas.
func thousands(n float64) string {
	digits := fmt.Sprintf("%.0f", n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// duration formats a time with three significant digits.
func duration(nanoseconds float64) string {
	value, unit := nanoseconds, "ns"
	for _, next := range []string{"µs", "ms", "s"} {
		if value < 999.5 {
			break
		}
		value, unit = value/1000, next
	}
	return significant(value) + " " + unit
}

// significant formats a number below 1000 with three significant digits.
func significant(value float64) string {
	switch {
	case value < 9.995:
		return fmt.Sprintf("%.2f", value)
	case value < 99.95:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.0f", value)
}

func ratio(f *figure) string {
	if f == nil {
		return "–"
	}
	return significant(f.Median)
}

func printTargets(all []verdict) {
	fmt.Print("\nTargets\n")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, v := range all {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", v.Name, v.figures(), v.judgement())
	}
	w.Flush()
}

func printMissing(all []missing) {
	if len(all) > 0 {
		fmt.Print("\nMissing\n")
	}
	for _, m := range all {
		fmt.Printf("  %s (%s): %s\n", m.Program, strings.Join(m.Contenders, "; "), m.Reason)
	}
}

func (f failure) String() string { return fmt.Sprintf("%s at %q: %s", f.Contender, f.Work, f.Reason) }

func printFailed(all []failure) {
	if len(all) > 0 {
		fmt.Print("\nFailed\n")
	}
	for _, f := range all {
		fmt.Println(" ", f)
	}
}

func printSummary(r *results, files ...string) {
	measured := map[string]bool{}
	for _, o := range r.Works {
		for _, one := range o.Rows {
			measured[one.ID] = true
		}
	}
	gone := 0
	for _, m := range r.Missing {
		gone += len(m.Contenders)
	}
	fmt.Printf("\n%d works, %d contenders, %d missing, %d failed; results in %s\n", len(r.Works), len(measured), gone,
		len(r.Failed), cmp.Or(strings.Join(files, " and "), "no file"))
}
