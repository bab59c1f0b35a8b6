package main

import "slices"

// The two groups of works. Ratios compare with package ipc in the same group. Contenders whose units are messages of any
// size take part in both.
const (
	streams  = "streams"
	messages = "messages"
	both     = "both"
)

// A contender is a program with one of its variants.
type contender struct {
	Name    string // as printed
	Program string // a name in programs
	Variant string
	Group   string

	Few  bool   // 10,000 connections take more open files than a process usually may have
	Only string // the one kind of work that it takes part in; if empty, all that the program has
}

// id names a contender in targets and results.
func (c *contender) id() string { return c.Program + " " + c.Variant }

// contenders has all of them. A program refuses a work that it does not have, which is not a failure.
var contenders = []contender{
	{Name: "ipc", Program: "ipc", Variant: "unix", Group: streams},
	{Name: "ipc, Spin 100µs", Program: "ipc", Variant: "spin", Group: streams, Few: true},
	{Name: "bufio over ipc", Program: "ipc", Variant: "bufio", Group: streams, Only: "buffered"},
	{Name: "ipc.Pipe", Program: "ipc", Variant: "pipe", Group: streams},
	{Name: "ipc, channel", Program: "ipc", Variant: "channel", Group: both, Few: true},
	{Name: "ipc, channel, no spin", Program: "ipc", Variant: "channelnospin", Group: both},
	{Name: "ipc, channel, batches", Program: "ipc", Variant: "channelbatch", Group: both},
	{Name: "ipc, channel, zero copy", Program: "ipc", Variant: "channelzerocopy", Group: both},
	{Name: "ipc, channel, stream", Program: "ipc", Variant: "channelstream", Group: streams},
	{Name: "net", Program: "net", Variant: "unix", Group: streams},
	{Name: "net, TCP", Program: "net", Variant: "tcp", Group: streams},
	{Name: "bufio over net", Program: "net", Variant: "bufio", Group: streams, Only: "buffered"},
	{Name: "os.Pipe", Program: "net", Variant: "pipe", Group: streams},
	{Name: "C, system calls", Program: "floor", Variant: "unix", Group: streams},
	{Name: "C, polling", Program: "floor", Variant: "spin", Group: streams},
	{Name: "C, pipe", Program: "floor", Variant: "pipe", Group: streams},
	{Name: "lipc in C", Program: "lipc", Variant: "unix", Group: streams},
	{Name: "lipc in C, spinning", Program: "lipc", Variant: "spin", Group: streams},
	{Name: "lipc in C, pipe", Program: "lipc", Variant: "pipe", Group: streams},
	{Name: "lipc in C, channel", Program: "lipc", Variant: "channel", Group: both, Few: true},
	{Name: "lipc in C, no membarrier", Program: "nomembarrier", Variant: "channel", Group: both, Only: "stream"},
	{Name: "lipc in C, no spin", Program: "lipc", Variant: "channelnospin", Group: both},
	{Name: "lipc in C, batches", Program: "lipc", Variant: "channelbatch", Group: both},
	{Name: "lipc in C, zero copy", Program: "lipc", Variant: "channelzerocopy", Group: both},
	{Name: "lipc in C, channel stream", Program: "lipc", Variant: "channelstream", Group: streams},
	{Name: "libuv", Program: "libuv", Variant: "unix", Group: streams},
	{Name: "interprocess", Program: "interprocess", Variant: "sync", Group: streams},
	{Name: "interprocess, Tokio", Program: "interprocess", Variant: "tokio", Group: streams},
	{Name: "shmipc-go", Program: "shmipc", Variant: "stream", Group: streams},
	{Name: "ZeroMQ", Program: "zeromq", Variant: "dealer", Group: both},
	{Name: "iceoryx2, polling", Program: "iceoryx2", Variant: "poll", Group: both},
	{Name: "iceoryx2, events", Program: "iceoryx2", Variant: "event", Group: both},

	{Name: "ipc, messages", Program: "ipc", Variant: "message", Group: messages},
	{Name: "ipc, messages, Spin 100µs", Program: "ipc", Variant: "messagespin", Group: messages},
	{Name: "ipc, datagrams", Program: "ipc", Variant: "datagram", Group: messages},
	{Name: "net, unixpacket", Program: "net", Variant: "unixpacket", Group: messages},
	{Name: "net, unixgram", Program: "net", Variant: "unixgram", Group: messages},
	{Name: "mdlayher/socket", Program: "mdlayher", Variant: "seqpacket", Group: messages},
	{Name: "C, system calls", Program: "floor", Variant: "seqpacket", Group: messages},
	{Name: "lipc in C, messages", Program: "lipc", Variant: "message", Group: messages},
	{Name: "tokio-seqpacket", Program: "tokio-seqpacket", Variant: "seqpacket", Group: messages},
}

// choose returns the contenders that are to be tried in one of the works.
func (o *options) choose(all []contender, works ...work) []contender {
	return slices.DeleteFunc(slices.Clone(all), func(c contender) bool {
		return !slices.ContainsFunc(works, func(w work) bool { return o.chosen(&w, &c) })
	})
}

// chosen reports whether the contender is to be tried in the work.
func (o *options) chosen(w *work, c *contender) bool {
	return o.works.MatchString(w.Name) && (o.contenders.MatchString(c.Name) || o.contenders.MatchString(c.id())) &&
		(o.Target == "" || needs(o.goals, w, c)) && w.admits(c)
}

// without returns the contenders whose program was built.
func without(all []contender, gone []missing) []contender {
	return slices.DeleteFunc(slices.Clone(all), func(c contender) bool {
		return slices.ContainsFunc(gone, func(m missing) bool { return m.Program == c.Program })
	})
}
