package core

// An Ancillary is what travels with a payload. On Windows that is nothing.
type Ancillary struct{}

func (a *Ancillary) SetCredentials(Credentials) error             { return Unsupported() }
func (a *Ancillary) SetPeer(Name) error                           { return Unsupported() }
func (a *Ancillary) AddControl(level, typ int, data []byte) error { return Unsupported() }
func (a *Ancillary) Handles() []uintptr                           { return nil }
func (a *Ancillary) PIDFD() (pidfd uintptr, came bool)            { return 0, false }
func (a *Ancillary) Credentials() Credentials                     { return Credentials{PID: -1, UID: -1, GID: -1} }
func (a *Ancillary) Peer() *SocketName                            { return new(SocketName) }
func (a *Ancillary) Control(func(level, typ int, data []byte))    {}
