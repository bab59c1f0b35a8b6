package packaging

import (
	"regexp"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

const plainProgram = `package main

import "C"

import (
	"fmt"
	"os"
)

func main() { printStatus() }

func printStatus() {
	status, _ := os.ReadFile("/proc/self/status")
	fmt.Printf("%s", status)
}
`

const watchingProgram = `package main

import (
	"fmt"
	"os"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/signals"
)

func main() {
	a, b, err := ipc.Pair()
	if err == nil {
		a.Close()
		b.Close()
	}
	printStatus()
	w, err := signals.Watch(signals.RealTime(0), signals.RealTime(1))
	if err != nil {
		panic(err)
	}
	printStatus()
	w.Close()
	printStatus()
}

func printStatus() {
	status, _ := os.ReadFile("/proc/self/status")
	fmt.Printf("%s", status)
}
`

// The Go runtime has handlers for most signals in every program. SIGRTMIN is not one of these.
func TestProgramThatWatchesNothingHasOnlyTheHandlersOfTheGoRuntime(t *testing.T) {
	leakcheck.Start(t)
	caught := func(program string) []string {
		output := project.MustRun(t, newModule(t, project.Root(t), program), nil, "go", "run", ".")
		return regexp.MustCompile(`SigCgt:\t\w+\n`).FindAllString(output, -1)
	}
	plain, watching := caught(plainProgram), caught(watchingProgram)
	require.Len(t, plain, 1)
	require.Len(t, watching, 3)
	require.Equal(t, plain[0], watching[0], "before it watches")
	require.NotEqual(t, plain[0], watching[1], "while it watches")
	require.Equal(t, plain[0], watching[2], "when it has closed the watch")
}
