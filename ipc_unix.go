//go:build unix

package ipc

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"

	"github.com/lipc/ipc/internal/core"
)

// networks are the names that package net has for what connections are made of.
var networks = map[core.Kind]string{
	core.KindStream: "unix", core.KindMessage: "unixpacket", core.KindDatagram: "unixgram",
}

// endAddress returns the address of an end: its name.
func endAddress(own, _ Name, kind core.Kind) net.Addr {
	if kind == core.KindStream {
		return own
	}
	return endAddr{own, networks[kind]}
}

const admins = "root"

func ownUser() string { return fmt.Sprintf("user %d", os.Geteuid()) }

// setGroup finds a group by its name or number.
func setGroup(o *core.ListenOptions, group string) error {
	id, err := strconv.ParseUint(group, 10, 32)
	if err != nil {
		found, err := user.LookupGroup(group)
		if err != nil {
			return core.Invalidf("Group: %v", err)
		}
		if id, err = strconv.ParseUint(found.Gid, 10, 32); err != nil {
			return core.Invalidf("Group %q has the number %q", group, found.Gid)
		}
	}
	gid := uint32(id)
	o.Group = &gid
	return nil
}

// SysListen holds the options of listening that only one system has. Unix has none.
type SysListen struct{}

// SysDial holds the options of dialling that only one system has. Unix has none.
type SysDial struct{}

// SysPipe holds the options of unnamed pipes that only one system has. Unix has none.
type SysPipe struct{}

func (*SysListen) check(bool) error                { return nil }
func (*SysListen) options(bool) *core.ListenSystem { return nil }
func (*SysDial) check(bool) error                  { return nil }
func (*SysDial) options(bool) *core.ConnectSystem  { return nil }
func (*SysPipe) options() *core.PipeSystem         { return nil }
