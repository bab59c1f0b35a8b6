package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// measure measures all works that were chosen, prints each and adds it to the results.
func measure(ctx context.Context, o *options, all []contender, r *results) error {
	runtime.LockOSThread() // the processes are killed when the thread that started them ends
	if err := o.pin.check(); err != nil {
		return err
	}
	for _, w := range works {
		chosen := o.choose(all, w)
		if len(chosen) == 0 {
			continue
		}
		begin, before := time.Now(), spentByOthers()
		rows, err := measureOne(ctx, o, w, chosen, r)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			continue
		}
		others := (spentByOthers() - before).Seconds() / time.Since(begin).Seconds()
		out := outcome{w, w.reference(), rows, max(0, others)}
		out.compare()
		printOutcome(&out)
		r.Works = append(r.Works, out)
	}
	return nil
}

// spentByOthers returns the processor time of all programs but this one and those that it has waited for. It is 0 if
// the system does not report it.
func spentByOthers() time.Duration {
	const tick = 10 * time.Millisecond // proc_stat(5): USER_HZ is 100 on all architectures that Go has
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	var spent time.Duration
	total, _, _ := strings.Cut(string(stat), "\n") // cpu user nice system idle iowait irq softirq steal …
	for i, column := range strings.Fields(total) {
		if ticks, err := strconv.ParseInt(column, 10, 64); err == nil && i <= 8 && i != 4 && i != 5 {
			spent += time.Duration(ticks) * tick
		}
	}
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if err := unix.Getrusage(who, &u); err != nil {
			return 0
		}
		spent -= time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return spent
}

func measureOne(ctx context.Context, o *options, w work, contenders []contender, r *results) ([]row, error) {
	dir, err := os.MkdirTemp("", "lipc")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	m := &measurement{ctx: ctx, work: w, options: o, dir: dir, results: r}
	var rows []row
	if w.resting() {
		rows = m.idle(contenders)
	} else {
		rows, err = m.rounds(contenders)
	}
	return rows, cmp.Or(context.Cause(ctx), err)
}

// A measurement measures one work.
type measurement struct {
	work
	ctx     context.Context
	options *options
	dir     string
	results *results
	started int // the number of pairs so far, which gives each an address of its own
}

// A pair is a contender's server and client.
type pair struct {
	contender
	server, client *process
	kill           context.CancelFunc
	samples        []sample
}

// fail records that a contender failed. After an interrupt all fail, and nothing is recorded.
func (m *measurement) fail(c *contender, err error) {
	if m.ctx.Err() == nil && !errors.Is(err, errLeftOut) {
		f := failure{m.Name, c.Name, err.Error()}
		m.results.Failed = append(m.results.Failed, f)
		fmt.Println("\nfailed:", f)
	}
}

// start starts a pair. If it fails it leaves nothing behind.
func (m *measurement) start(c contender, count int) (*pair, error) {
	m.started++
	dir := filepath.Join(m.dir, strconv.Itoa(m.started))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	address := filepath.Join(dir, "s")
	if len(address) > 80 {
		return nil, fmt.Errorf("the folder for temporary files has too long a name for a socket's address: %s", m.dir)
	}
	serverEnds, clientEnds, err := pipes()
	if err != nil {
		return nil, err
	}
	defer closeAll(serverEnds)
	defer closeAll(clientEnds)
	p := &pair{contender: c}
	ctx, kill := context.WithCancel(m.ctx)
	p.kill = kill
	path := filepath.Join(buildDir, programs[c.Program].path)
	args := []string{c.Variant, m.Kind, strconv.Itoa(m.Size), strconv.Itoa(count), address}
	if p.server, err = start(ctx, "server", m.options.pin, serverEnds, path, args...); err != nil {
		kill()
		return nil, err
	}
	if err := p.server.ready(); err != nil {
		return nil, p.abandon(err)
	}
	if p.client, err = start(ctx, "client", m.options.pin, clientEnds, path, args...); err != nil {
		return nil, p.abandon(err)
	}
	if err := p.client.ready(); err != nil {
		return nil, p.abandon(err)
	}
	return p, nil
}

// pipes makes two pipes, one for each direction. It returns the ends of each side, to read from and to write to. They
// block.
func pipes() (server, client []*os.File, err error) {
	var there, back [2]int
	if err := unix.Pipe2(there[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("pipe: %w", err)
	}
	if err := unix.Pipe2(back[:], unix.O_CLOEXEC); err != nil {
		unix.Close(there[0])
		unix.Close(there[1])
		return nil, nil, fmt.Errorf("pipe: %w", err)
	}
	file := func(descriptor int) *os.File { return os.NewFile(uintptr(descriptor), "pipe") }
	return []*os.File{file(there[0]), file(back[1])}, []*os.File{file(back[0]), file(there[1])}, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// abandon kills both processes, and returns err with what they printed on standard error.
func (p *pair) abandon(err error) error {
	p.kill()
	for _, q := range []*process{p.server, p.client} {
		if q == nil {
			continue
		}
		q.wait()
		if said := reason(q.stderr.String()); said != "" && err != errLeftOut {
			err = fmt.Errorf("%w; the %s said: %s", err, q.role, said)
		}
	}
	return err
}

// end lets both processes end by themselves.
func (p *pair) end() error {
	if err := cmp.Or(p.client.end(), p.server.end()); err != nil {
		return p.abandon(err)
	}
	p.kill() // frees the context; both have ended
	return nil
}

// rounds runs all rounds with all contenders.
func (m *measurement) rounds(contenders []contender) ([]row, error) {
	var pairs []*pair
	for _, c := range contenders {
		p, err := m.start(c, m.Count)
		if err == nil {
			if err = p.pause(); err != nil {
				err = p.abandon(err)
			}
		}
		if err != nil {
			m.fail(&c, err)
			continue
		}
		pairs = append(pairs, p)
	}
	if m.Hogs {
		h, err := startHogs(m.ctx)
		if err != nil {
			return nil, err
		}
		defer h.end()
	}
	for round := range 1 + m.options.Rounds {
		rand.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
		pairs = slices.DeleteFunc(pairs, func(p *pair) bool {
			s, err := p.round(m.round(m.options.length()))
			if err != nil {
				m.fail(&p.contender, p.abandon(err))
			} else if round > 0 { // the first round warms up
				p.samples = append(p.samples, s)
			}
			return err != nil
		})
	}
	var rows []row
	for _, p := range pairs {
		if err := cmp.Or(p.proceed(), p.end()); err != nil {
			m.fail(&p.contender, err)
		} else {
			rows = append(rows, p.row())
		}
	}
	return rows, nil
}

// pause stops both processes.
func (p *pair) pause() error { return cmp.Or(p.client.pause(), p.server.pause()) }

func (p *pair) proceed() error { return cmp.Or(p.server.proceed(), p.client.proceed()) }

// round runs one round. The processes are paused before and after it.
func (p *pair) round(length time.Duration) (sample, error) {
	if err := p.proceed(); err != nil {
		return sample{}, err
	}
	before, err := p.spent()
	if err != nil {
		return sample{}, err
	}
	asked, err := p.spent() // the difference is the cost of asking
	if err != nil {
		return sample{}, err
	}
	line, err := p.client.ask(strconv.FormatInt(length.Milliseconds(), 10), answerLimit+10*length)
	if err != nil {
		return sample{}, err
	}
	after, err := p.spent()
	if err != nil {
		return sample{}, err
	}
	r, err := parseReport(line)
	if err != nil {
		return sample{}, err
	}
	return r.sample(after.less(asked).less(asked.less(before))), p.pause()
}

// spent returns what both processes have taken so far.
func (p *pair) spent() (spent, error) {
	line, err := p.server.ask("", answerLimit)
	if err != nil {
		return spent{}, err
	}
	allocations, err := parseAllocations(line)
	if err != nil {
		return spent{}, err
	}
	server, err := p.server.cpu()
	if err != nil {
		return spent{}, err
	}
	client, err := p.client.cpu()
	return spent{server + client, allocations}, err
}

// row summarizes the rounds.
func (p *pair) row() row {
	r := row{ID: p.id(), Name: p.Name}
	var cpu, allocations []float64
	for _, s := range p.samples {
		r.Rounds = append(r.Rounds, s.nanoseconds)
		cpu = append(cpu, s.cpu)
		if s.allocations >= 0 {
			allocations = append(allocations, s.allocations)
		}
	}
	time := summarize(r.Rounds)
	r.Time = &time
	r.CPU = summarize(cpu).Median
	if len(allocations) > 0 {
		median := summarize(allocations).Median
		r.Allocations = &median
	}
	return r
}

// idle measures what idle connections take, one contender after the other.
func (m *measurement) idle(contenders []contender) []row {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil && limit.Max < uint64(m.Count)+100 {
		m.fail(&contender{Name: "all"}, fmt.Errorf("a process may have %d open files here (ulimit -Hn)", limit.Max))
		return nil
	}
	var rows []row
	for _, c := range contenders {
		figures, err := m.idleOf(c)
		if err != nil {
			m.fail(&c, err)
			continue
		}
		rows = append(rows, row{ID: c.id(), Name: c.Name, Idle: figures})
	}
	return rows
}

// idleOf returns the median of three measurements, or of fewer if there are fewer rounds.
func (m *measurement) idleOf(c contender) (*idle, error) {
	var server, client [3][]float64 // Pss, private, threads
	add := func(to *[3][]float64, u usage) {
		for i, value := range []float64{u.Pss, u.Private, u.Threads} {
			to[i] = append(to[i], value)
		}
	}
	for range min(3, m.options.Rounds) {
		one, err := m.idleWith(c, 1)
		if err != nil {
			return nil, err
		}
		many, err := m.idleWith(c, m.Count)
		if err != nil {
			return nil, err
		}
		add(&server, many.Server.less(one.Server, m.Count-1))
		add(&client, many.Client.less(one.Client, m.Count-1))
	}
	median := func(of [3][]float64) usage {
		return usage{summarize(of[0]).Median, summarize(of[1]).Median, summarize(of[2]).Median}
	}
	return &idle{median(server), median(client)}, nil
}

// less returns what each connection beyond the first has taken.
func (u usage) less(one usage, connections int) usage {
	return usage{(u.Pss - one.Pss) / float64(connections), (u.Private - one.Private) / float64(connections),
		u.Threads - one.Threads}
}

// idleWith returns what both processes take with count connections.
func (m *measurement) idleWith(c contender, count int) (idle, error) {
	p, err := m.start(c, count)
	if err != nil {
		return idle{}, err
	}
	server, err := p.server.usage()
	if err != nil {
		return idle{}, p.abandon(err)
	}
	client, err := p.client.usage()
	if err != nil {
		return idle{}, p.abandon(err)
	}
	return idle{server, client}, p.end()
}

// usage returns the memory and the threads of the process.
func (p *process) usage() (usage, error) {
	folder := "/proc/" + strconv.Itoa(p.cmd.Process.Pid)
	memory, err := os.ReadFile(folder + "/smaps_rollup")
	if err != nil {
		return usage{}, err
	}
	status, err := os.ReadFile(folder + "/status")
	if err != nil {
		return usage{}, err
	}
	return usage{
		Pss:     1024 * field(memory, "Pss:"),
		Private: 1024 * (field(memory, "Private_Clean:") + field(memory, "Private_Dirty:")),
		Threads: field(status, "Threads:"),
	}, nil
}

// field returns the number that follows a name at the beginning of a line, or 0.
func field(text []byte, name string) float64 {
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == name {
			number, _ := strconv.ParseFloat(words[1], 64)
			return number
		}
	}
	return 0
}
