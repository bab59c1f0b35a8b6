// Bench runs the same work through lipc and through other local IPC, in Go, C and Rust, and prints how they compare.
//
// Each contender is a program, which runs as a server and as a client in processes of their own. All contenders of a
// work are started. Each round goes over all of them, in an order that is shuffled each time, so that a machine's noise
// hits all alike. At any time only one server and its client run; the others are stopped. Bench prints the median of
// the rounds. A ratio is the median of the rounds' ratios.
//
//	go run . [-rounds N] [-millis N] [-pin SERVER,CLIENT] [-target REGEXP] [-work REGEXP] [-contender REGEXP]
//		[-require] [-json FILE] [-svg FILE]
//	go run . -build [-contender REGEXP] [-require]
//	go run . -draw FILE.json [-svg FILE]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errFailed says that contenders failed. Their failures have been printed.
var errFailed = errors.New("contenders failed")

// Options are what the command line asks for.
type options struct {
	Rounds    int    `json:"rounds"`
	Millis    int    `json:"millis"` // the length of a round
	Work      string `json:"work,omitempty"`
	Contender string `json:"contender,omitempty"`
	Target    string `json:"target,omitempty"`
	Pin       string `json:"pin,omitempty"` // the processors of the server and the client

	build, require    bool
	json, svg, draw   string
	works, contenders *regexp.Regexp
	goals             []goal
	pin               placement
}

// A placement has the processor of each role, "server" and "client". If it is nil the system chooses.
type placement map[string]int

func parsePlacement(s string) (placement, error) {
	if s == "" {
		return nil, nil
	}
	server, client, found := strings.Cut(s, ",")
	onServer, serverErr := strconv.Atoi(server)
	onClient, clientErr := strconv.Atoi(client)
	if !found || serverErr != nil || clientErr != nil {
		return nil, fmt.Errorf("-pin takes the processors of the server and the client, such as 0,1, and not %q", s)
	}
	return placement{"server": onServer, "client": onClient}, nil
}

// command is how to run the same again, but for what was left out.
func (o *options) command() string {
	if o.Pin == "" {
		return "make bench"
	}
	return fmt.Sprintf("make bench BENCHFLAGS=\"-pin %s\"", o.Pin)
}

func (p placement) String() string {
	if p == nil {
		return "The system chose the processors."
	}
	return fmt.Sprintf("The server ran on processor %d, the client on processor %d.", p["server"], p["client"])
}

func (o *options) length() time.Duration { return time.Duration(o.Millis) * time.Millisecond }

func parseFlags() (*options, error) {
	var o options
	flag.IntVar(&o.Rounds, "rounds", 21, "rounds of each contender and work, after one that is not counted")
	flag.IntVar(&o.Millis, "millis", 50, "length of a round in milliseconds")
	flag.StringVar(&o.Work, "work", "", "only the works whose name this regular expression matches")
	flag.StringVar(&o.Contender, "contender", "", "only the contenders whose name, or program and variant, this one matches")
	flag.StringVar(&o.Target, "target", "", "only what the targets take whose name this regular expression matches")
	flag.StringVar(&o.Pin, "pin", "", "processors of the server and the client, such as 0,1; otherwise the system chooses")
	flag.BoolVar(&o.build, "build", false, "build the contenders, and measure nothing")
	flag.BoolVar(&o.require, "require", false, "fail if a contender cannot be built")
	flag.StringVar(&o.json, "json", filepath.Join(buildDir, "results.json"), "file for the results")
	flag.StringVar(&o.svg, "svg", filepath.Join(buildDir, "results.svg"), "file for the drawing")
	flag.StringVar(&o.draw, "draw", "", "draw these results, and measure nothing")
	flag.Parse()
	if flag.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if o.Rounds < 1 || o.Millis < 1 {
		return nil, errors.New("there must be at least one round, of at least one millisecond")
	}
	var err error
	if o.works, err = regexp.Compile(o.Work); err != nil {
		return nil, err
	}
	if o.contenders, err = regexp.Compile(o.Contender); err != nil {
		return nil, err
	}
	chosen, err := regexp.Compile(o.Target)
	if err != nil {
		return nil, err
	}
	if o.goals = goals(chosen); len(o.goals) == 0 {
		return nil, fmt.Errorf("no target matches %q", o.Target)
	}
	o.pin, err = parsePlacement(o.Pin)
	return &o, err
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	o, err := parseFlags()
	if err != nil {
		log.Fatal(err)
	}
	if o.draw != "" {
		err = drawAgain(o)
	} else {
		err = bench(o)
	}
	if err == errFailed {
		os.Exit(1)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func drawAgain(o *options) error {
	r, err := readResults(o.draw)
	if err != nil {
		return err
	}
	return drawFile(r, o.svg)
}

func bench(o *options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if !slices.ContainsFunc(works, func(w work) bool { return o.works.MatchString(w.Name) }) {
		return fmt.Errorf("no work matches %q", o.Work)
	}
	chosen := o.choose(contenders, works...)
	if len(chosen) == 0 {
		return errors.New("no contender that was chosen takes part in a work that was chosen")
	}
	r := &results{Options: *o, Machine: thisMachine()}
	printHeader(r)
	var err error
	if r.Missing, err = build(ctx, chosen); err != nil {
		return err
	}
	printMissing(r.Missing)
	if o.require && len(r.Missing) > 0 {
		return errors.New("these are required")
	}
	if o.build {
		return nil
	}
	if err := measure(ctx, o, without(chosen, r.Missing), r); err != nil {
		return err
	}
	if len(r.Works) == 0 && len(r.Failed) == 0 {
		return errors.New("nothing was measured: what was chosen is missing, or does not have these works")
	}
	r.Targets = judge(r, o.goals)
	printTargets(r.Targets)
	printMissing(r.Missing)
	printFailed(r.Failed)
	if err := errors.Join(r.write(o.json), drawFile(r, o.svg)); err != nil {
		return err
	}
	printSummary(r, o.json, o.svg)
	if len(r.Failed) > 0 {
		return errFailed
	}
	return nil
}
