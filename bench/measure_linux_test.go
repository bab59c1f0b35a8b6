package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// fake is a contender that follows the protocol and does no work. Some of its variants are broken.
const fake = `#!/bin/sh
case $1-$2 in
*-absent) echo "there is no such work" >&2; exit 2 ;;
client-panics) echo "goroutine 1 [running]:" >&2; exit 2 ;;
server-refuses) echo "no room" >&2; exit 1 ;;
client-silent) read line; exit ;;
esac
echo ready
count=100
while read line; do
    case $1-$2 in
    server-*) echo $count; count=$((count + 3)) ;; # asking takes three allocations
    client-dies) echo "broken" >&2; exit 1 ;;
    client-hangs) read line ;;
    client-garbled) echo "10 x 0" ;;
    client-*) echo "10 1000 20" ;;
    esac
done
case $1-$2 in
server-unclean) exit 3 ;;
server-stays) exec tail -f /dev/null ;;
esac
`

// measureFake runs two rounds with variants of the fake, and returns the results.
func measureFake(t *testing.T, ctx context.Context, variants ...string) ([]row, []failure, error) {
	return measureFakeAt(t, ctx, works[0], variants...)
}

func measureFakeAt(t *testing.T, ctx context.Context, w work, variants ...string) ([]row, []failure, error) {
	file := filepath.Join(t.TempDir(), "fake")
	require.NoError(t, os.WriteFile(file, []byte(fake), 0o700))
	build, err := filepath.Abs(buildDir)
	require.NoError(t, err)
	path, err := filepath.Rel(build, file)
	require.NoError(t, err)
	programs["fake"] = program{path: path}
	defer delete(programs, "fake")
	var all []contender
	for _, v := range variants {
		all = append(all, contender{Name: v, Program: "fake", Variant: v, Group: streams})
	}
	limits := []time.Duration{answerLimit, readyLimit, endLimit}
	defer func() { answerLimit, readyLimit, endLimit = limits[0], limits[1], limits[2] }()
	answerLimit, readyLimit, endLimit = time.Second, time.Second, time.Second
	r := &results{}
	rows, err := measureOne(ctx, &options{Rounds: 2, Millis: 1, works: regexp.MustCompile("")}, w, all, r)
	return rows, r.Failed, err
}

func TestRoundsOfAContender(t *testing.T) {
	rows, failed, err := measureFake(t, t.Context(), "good")
	require.NoError(t, err)
	assert.Empty(t, failed)
	require.Len(t, rows, 1)
	assert.Equal(t, "fake good", rows[0].ID)
	assert.Equal(t, []float64{100, 100}, rows[0].Rounds)
	require.NotNil(t, rows[0].Allocations)
	assert.Equal(t, 2.0, *rows[0].Allocations)
}

func TestBrokenContendersFailAlone(t *testing.T) {
	reasons := map[string]string{
		"panics":  "the client ended early; the client said: goroutine 1 [running]:",
		"refuses": "the server ended early; the server said: no room",
		"silent":  "the client did not answer within 1s",
		"dies":    "the client ended early; the client said: broken",
		"hangs":   "the client did not answer within 1.01s",
		"garbled": `the client reported "10 x 0"`,
		"unclean": "the server: exit status 3",
		"stays":   "the server did not end within 1s",
	}
	for variant, reason := range reasons {
		t.Run(variant, func(t *testing.T) {
			rows, failed, err := measureFake(t, t.Context(), "absent", variant, "good")
			require.NoError(t, err)
			require.Len(t, rows, 1)
			assert.Equal(t, "fake good", rows[0].ID)
			assert.Equal(t, []failure{{works[0].Name, variant, reason}}, failed)
		})
	}
}

func TestInterruptEndsAll(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel) // at a random moment
	_, failed, err := measureFake(t, ctx, "hangs", "good")
	assert.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, failed)
}

// requireNoChildren fails if a process that this one started is left, running or ended.
func requireNoChildren(t *testing.T) {
	_, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
	require.ErrorIs(t, err, unix.ECHILD)
}

func TestHogsRunUntilTheirWorkEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h, err := startHogs(ctx)
	require.NoError(t, err)
	require.Len(t, h, runtime.NumCPU())
	for _, hog := range h {
		require.NoError(t, hog.Process.Signal(syscall.Signal(0)))
	}
	h.end()
	requireNoChildren(t)
	h, err = startHogs(ctx)
	require.NoError(t, err)
	cancel()
	for _, hog := range h {
		require.Error(t, hog.Wait(), "it was killed")
	}
	requireNoChildren(t)
}

func TestNoHogIsLeftOfARunOrAnInterrupt(t *testing.T) {
	w := works[len(works)-1]
	require.True(t, w.Hogs)
	rows, failed, err := measureFakeAt(t, t.Context(), w, "good")
	require.NoError(t, err)
	assert.Empty(t, failed)
	require.Len(t, rows, 1)
	requireNoChildren(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel) // at a random moment
	_, _, err = measureFakeAt(t, ctx, w, "hangs", "good")
	require.ErrorIs(t, err, context.Canceled)
	requireNoChildren(t)
}

func TestPinnedProcessRunsOnItsProcessorAlone(t *testing.T) {
	var before, after unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &before))
	last := runtime.NumCPU() - 1
	require.NoError(t, placement{"server": 0, "client": last}.check())
	cmd := exec.Command("/bin/sh", "-c", "grep Cpus_allowed_list /proc/self/status; echo $GOMAXPROCS")
	var out strings.Builder
	cmd.Stdout = &out
	require.NoError(t, placement{"server": 0, "client": last}.start("client", cmd))
	require.NoError(t, cmd.Wait())
	assert.Equal(t, fmt.Sprintf("Cpus_allowed_list:\t%d\n%d\n", last, runtime.GOMAXPROCS(0)), out.String())
	require.NoError(t, unix.SchedGetaffinity(0, &after))
	assert.Equal(t, before, after, "this process may still use all of them")
	assert.ErrorContains(t, placement{"server": 1 << 20}.check(), "no processor 1048576")
}

func TestTimeOfOthersIsWhatOwnProgramsLeave(t *testing.T) {
	before, begin := spentByOthers(), time.Now()
	require.Positive(t, before, "the system has done something since it started")
	own := make([]*exec.Cmd, runtime.NumCPU())
	for i := range own {
		own[i] = exec.Command("/bin/sh", "-c", "i=0; while [ $i -lt 1000000 ]; do i=$((i + 1)); done")
		require.NoError(t, own[i].Start())
	}
	var spent time.Duration
	for _, cmd := range own {
		require.NoError(t, cmd.Wait())
		spent += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	others := spentByOthers() - before
	left := time.Duration(runtime.NumCPU())*time.Since(begin) - spent
	assert.Less(t, others, left+spent/4)
}

func TestDisturbanceIsSaid(t *testing.T) {
	assert.Empty(t, disturbance(&outcome{Others: 0.09}))
	assert.Equal(t, " (other programs kept 0.5 processors busy)", disturbance(&outcome{Others: 0.53}))
}

func TestFieldsOfProc(t *testing.T) {
	text := []byte("Rss:  12 kB\nPss_Dirty:  1 kB\nPss:                 345 kB\n")
	assert.Equal(t, 345.0, field(text, "Pss:"))
	assert.Zero(t, field(text, "Private_Clean:"))
}
