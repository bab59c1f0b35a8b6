package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// A progress is a bar on standard error that shows how much of a file was passed, if that takes long.
type progress struct {
	w     io.Writer // nil: nothing is shown
	name  string
	total int64 // in bytes; -1: not known
	began time.Time
	due   time.Time // when the bar is shown next
	width int       // of what is shown, in characters
}

const (
	shownAfter = 500 * time.Millisecond
	shownEvery = 100 * time.Millisecond
	barWidth   = 30
)

// newProgress returns a bar. It is shown if standard error is a terminal, after shownAfter. If always is set, it is
// shown in any case, and at once. If quiet is set, it is never shown.
func newProgress(name string, total int64, quiet, always bool) *progress {
	p := &progress{name: name, total: total, began: time.Now()}
	p.due = p.began
	if always || terminal(os.Stderr) {
		p.w = os.Stderr
	}
	if !always {
		p.due = p.began.Add(shownAfter)
	}
	if quiet {
		p.w = nil
	}
	p.update(0)
	return p
}

// update shows how many bytes were passed.
func (p *progress) update(done int64) {
	now := time.Now()
	if p.w == nil || now.Before(p.due) {
		return
	}
	p.due = now.Add(shownEvery)
	p.show(p.line(done, now.Sub(p.began)))
}

// line returns the text of the bar.
func (p *progress) line(done int64, took time.Duration) string {
	done = max(done, 0)
	rate := size(int64(float64(done)/max(took.Seconds(), 1e-3))) + "/s"
	if p.total <= 0 || done > p.total {
		return fmt.Sprintf("%s  %s  %s", p.name, size(done), rate)
	}
	filled := int(done * barWidth / p.total)
	bar := strings.Repeat("#", filled) + strings.Repeat("-", barWidth-filled)
	return fmt.Sprintf("%s  [%s] %3d %%  %s of %s  %s", p.name, bar, done*100/p.total, size(done), size(p.total), rate)
}

// show replaces the text that is shown.
func (p *progress) show(line string) {
	width := utf8.RuneCountInString(line)
	fmt.Fprintf(p.w, "\r%s%s", line, strings.Repeat(" ", max(0, p.width-width)))
	p.width = width
}

// end removes the bar.
func (p *progress) end() {
	if p.width > 0 {
		p.show("")
		fmt.Fprint(p.w, "\r")
		p.width = 0
	}
}

// size returns a number of bytes as text for people.
func size(bytes int64) string {
	if bytes < 1024 {
		return fmt.Sprintf("%d B", bytes)
	}
	value, unit := float64(bytes), 0
	for value >= 1023.95 { // which would be shown as 1024.0
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %s", value, [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}[unit])
}
