package main

import (
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMedianAndQuartiles(t *testing.T) {
	assert.Equal(t, figure{7, 7, 7}, summarize([]float64{7}))
	assert.Equal(t, figure{3, 2, 4}, summarize([]float64{5, 1, 4, 2, 3}))
	assert.Equal(t, figure{2.5, 1.75, 3.25}, summarize([]float64{4, 1, 3, 2}))
	assert.Equal(t, 0.25, figure{4, 3, 5}.spread())
}

// Each round is divided by the other's round of the same time, not the median by the median.
func TestRatioIsOfTheSameRounds(t *testing.T) {
	r := row{Rounds: []float64{2, 20, 100}}
	assert.Equal(t, 2.0, r.ratio(&row{Rounds: []float64{1, 10, 200}}).Median)
}

func TestOutcomeIsSortedByRatio(t *testing.T) {
	o := outcome{Reference: "ipc unix", Rows: []row{
		{ID: "slow", Rounds: []float64{30, 30}}, {ID: "ipc unix", Rounds: []float64{10, 10}},
		{ID: "fast", Rounds: []float64{5, 5}},
	}}
	o.compare()
	var ids []string
	for _, r := range o.Rows {
		ids = append(ids, r.ID)
	}
	assert.Equal(t, []string{"fast", "ipc unix", "slow"}, ids)
	assert.Equal(t, 1.0, o.Rows[1].Ratio.Median)
}

func TestReportOfAClient(t *testing.T) {
	r, err := parseReport("1024 50000000 -1")
	require.NoError(t, err)
	assert.Equal(t, report{1024, 50000000, -1}, r)
	for _, line := range []string{"", "1 2", "1 2 3 4", "0 100 0", "5 0 0", "-1 100 0", "one 2 3"} {
		_, err := parseReport(line)
		assert.ErrorContains(t, err, "the client reported", line)
	}
	_, err = parseAllocations("many")
	assert.ErrorContains(t, err, `the server reported "many"`)
}

func TestWhatAnOperationTakes(t *testing.T) {
	asked := spent{30 * time.Microsecond, 103}
	cost := asked.less(spent{20 * time.Microsecond, 100})
	used := spent{140 * time.Microsecond, 206}.less(asked).less(cost)
	assert.Equal(t, sample{5, 1000, 2}, report{100, 500, 100}.sample(used))
	assert.Equal(t, -1.0, report{100, 500, -1}.sample(used).allocations)
	unknown := spent{0, -1}
	assert.Equal(t, -1.0, report{100, 500, 0}.sample(unknown.less(unknown)).allocations)
}

// rounds returns a row with a single round.
func rounds(id string, nanoseconds float64) row {
	time := figure{nanoseconds, nanoseconds, nanoseconds}
	return row{ID: id, Name: id, Rounds: []float64{nanoseconds}, Time: &time}
}

func TestTargetOfTimes(t *testing.T) {
	target := target{"w", "ipc ÷ net", "ipc unix", []string{"net unix"}, false, 1.05}
	r := &results{Works: []outcome{{work: work{Name: "w"}, Rows: []row{rounds("ipc unix", 105), rounds("net unix", 100)}}}}
	v := target.judge(r)
	assert.True(t, v.Met)
	assert.Equal(t, 1.05, v.Figure.Median)
	r.Works[0].Rows[0] = rounds("ipc unix", 106)
	v = target.judge(r)
	assert.Equal(t, "NOT met", v.judgement())
}

func TestTargetOfRatesTakesTheBest(t *testing.T) {
	target := target{"w", "ipc ÷ best", "ipc unix", []string{"net unix", "libuv unix"}, true, 1}
	r := &results{Works: []outcome{{work: work{Name: "w"}, Rows: []row{
		rounds("ipc unix", 100), rounds("net unix", 120), rounds("libuv unix", 80), rounds("floor unix", 10)}}}}
	v := target.judge(r)
	assert.Equal(t, 0.8, v.Figure.Median)
	assert.Equal(t, "NOT met (libuv unix)", v.judgement())
}

func TestTargetOfWhatWasNotMeasured(t *testing.T) {
	target := target{"w", "ipc ÷ net", "ipc unix", []string{"net unix"}, false, 1}
	v := target.judge(&results{})
	assert.Equal(t, "not measured", v.judgement())
	v = target.judge(&results{Works: []outcome{{work: work{Name: "w"}, Rows: []row{rounds("ipc unix", 1)}}}})
	assert.Equal(t, "not measured: net unix", v.judgement())
}

func TestTargetOfMemory(t *testing.T) {
	used := &idle{Server: usage{Pss: 10 << 10}, Client: usage{Pss: 7 << 10}}
	r := &results{Works: []outcome{{work: work{Name: "w"}, Rows: []row{{ID: "ipc channel", Idle: used}}}}}
	larger := memoryTarget{"w", "idle", "ipc channel", (*idle).larger, 10}
	v := larger.judge(r)
	assert.Equal(t, "met", v.judgement())
	both := memoryTarget{"w", "chatty", "ipc channel", (*idle).sum, 16}
	v = both.judge(r)
	assert.Equal(t, "NOT met", v.judgement())
	assert.Equal(t, 17.0, v.Figure.Median)
	v = larger.judge(&results{})
	assert.Equal(t, "not measured", v.judgement())
}

func TestTargetOfAllocationsTakesTheMost(t *testing.T) {
	with := func(allocations float64) row { return row{ID: "ipc unix", Allocations: &allocations} }
	r := &results{Works: []outcome{
		{work: work{Name: "stream", Kind: "stream"}, Rows: []row{with(0.001)}},
		{work: work{Name: "connect", Kind: "connect"}, Rows: []row{with(16)}},
	}}
	c := &contender{Name: "ipc", Program: "ipc", Variant: "unix"}
	goal := allocationTarget{*c}
	v := goal.judge(r)
	assert.Equal(t, "met (most: stream)", v.judgement())
	r.Works[0].Rows[0] = with(1)
	v = goal.judge(r)
	assert.Equal(t, "NOT met (most: stream)", v.judgement())
}

// A target whose work or contender was renamed would never be measured.
func TestTargetsNameWhatThereIs(t *testing.T) {
	admitted := map[string][]string{}
	for _, w := range works {
		for _, c := range contenders {
			if w.admits(&c) {
				admitted[w.Name] = append(admitted[w.Name], c.id())
			}
		}
		assert.Contains(t, admitted[w.Name], w.reference(), w.Name)
	}
	for _, target := range targets {
		assert.Subset(t, admitted[target.work], append(target.by, target.of), target.work)
	}
	for _, target := range memoryTargets {
		assert.Contains(t, admitted[target.work], target.of, target.work)
	}
	for _, c := range append(charts[0], charts[1]...) {
		assert.Contains(t, admitted, c.work)
	}
	for _, c := range contenders {
		assert.Contains(t, programs, c.Program)
	}
}

func TestPlacementTakesTwoProcessors(t *testing.T) {
	p, err := parsePlacement("0,11")
	require.NoError(t, err)
	assert.Equal(t, placement{"server": 0, "client": 11}, p)
	p, err = parsePlacement("")
	require.NoError(t, err)
	assert.Nil(t, p)
	for _, s := range []string{"0", "0,", ",1", "0,1,2", "a,b", "0 1"} {
		_, err := parsePlacement(s)
		assert.ErrorContains(t, err, "such as 0,1", s)
	}
}

func TestATargetTakesOnlyWhatItCompares(t *testing.T) {
	any := regexp.MustCompile("")
	o := options{Target: "chosen", works: any, contenders: any,
		goals: goals(regexp.MustCompile("^messages, 64 B: .*batches ÷ ZeroMQ|^allocations: ipc, channel$"))}
	require.Len(t, o.goals, 2)
	var taken []string
	for _, w := range works {
		for _, c := range o.choose(contenders, w) {
			taken = append(taken, w.Name+": "+c.id())
		}
	}
	assert.ElementsMatch(t, []string{"messages, 64 B: ipc channelbatch", "messages, 64 B: ipc message",
		"messages, 64 B: zeromq dealer"}, taken, "with the one that ratios compare with")
	assert.Len(t, o.choose(contenders, works...), 3)
}

func TestTargetsOfMemoryInTwoContenders(t *testing.T) {
	target := target{"w", "memory", "ipc unix", []string{"net unix"}, false, 1}
	with := func(id string, pss float64) row { return row{ID: id, Idle: &idle{Server: usage{Pss: pss}}} }
	r := &results{Works: []outcome{{work: work{Name: "w"}, Rows: []row{with("ipc unix", 30), with("net unix", 40)}}}}
	v := target.judge(r)
	assert.Equal(t, 0.75, v.Figure.Median)
	r.Works[0].Rows[1] = with("net unix", 0)
	v = target.judge(r)
	assert.Nil(t, v.Figure)
}

func TestReasonIsTheLineThatSaysMost(t *testing.T) {
	assert.Equal(t, "c/libuv.c:6:10: fatal error: uv.h: No such file or directory",
		reason("In file included from x:\nc/libuv.c:6:10: fatal error: uv.h: No such file or directory\n    6 | #include\n"))
	assert.Equal(t, "main.go:1:2: undefined: x", reason("# example.com/x\nmain.go:1:2: undefined: x\n"))
	assert.Empty(t, reason("\n \n"))
}

func TestFiguresAreReadable(t *testing.T) {
	assert.Equal(t, []string{"9.99 ns", "10.0 ns", "999 ns", "1.00 µs", "12.3 ms", "2.50 s"}, []string{duration(9.99),
		duration(9.996), duration(999.4), duration(999.6), duration(12.34e6), duration(2.5e9)})
	assert.Equal(t, []string{"7", "999", "1,000", "1,234,567"}, []string{thousands(7), thousands(999), thousands(1000),
		thousands(1234567)})
}

func TestResultsAreReadAsWritten(t *testing.T) {
	allocations := 0.5
	one := rounds("ipc unix", 3)
	one.Allocations = &allocations
	written := &results{Machine: machine{Go: "go1"}, Options: options{Rounds: 3},
		Works:   []outcome{{work: works[0], Rows: []row{one}}},
		Missing: []missing{{"libuv", []string{"libuv"}, "no header"}}, Targets: judge(&results{}, goals(regexp.MustCompile("")))}
	file := filepath.Join(t.TempDir(), "new", "results.json")
	require.NoError(t, written.write(file))
	read, err := readResults(file)
	require.NoError(t, err)
	assert.Equal(t, written, read)
	_, err = readResults(filepath.Join(t.TempDir(), "none"))
	assert.Error(t, err)
}

func TestDrawing(t *testing.T) {
	o := outcome{work: works[0], Reference: "ipc unix", Rows: []row{rounds("ipc unix", 10), rounds("R&D", 70)}}
	o.compare()
	svg := string(drawing(&results{Works: []outcome{o}}))
	assert.Contains(t, svg, "Round trip of 64 bytes")
	assert.Contains(t, svg, ">7.00</text>")
	assert.Contains(t, svg, "R&amp;D")
	assert.NotContains(t, svg, "Pass an open file")
	assert.NotRegexp(t, "font-family:Liberation", svg)
}
