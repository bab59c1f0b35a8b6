package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/lipc/ipc"
)

// An only is the value of -only: the users that one end accepts at the other.
type only struct {
	text   string
	admits []ipc.PeerPolicy
}

func (o *only) define(options *flag.FlagSet, who, otherwise string) {
	options.Var(o, "only", "the `users` that may be the "+who+": names, "+userIDs+", \"same\" for this user,\n"+
		"\"admin\" for "+admins+", or several with commas (by default\n"+otherwise+")")
}

func (o *only) String() string { return o.text }

func (o *only) Set(text string) error {
	for who := range strings.SplitSeq(text, ",") {
		policy, err := policyFor(who)
		if err != nil {
			return err
		}
		o.admits = append(o.admits, policy)
	}
	o.text = strings.TrimPrefix(o.text+","+text, ",")
	return nil
}

func policyFor(who string) (ipc.PeerPolicy, error) {
	switch who {
	case "":
		return nil, errors.New("a user is missing")
	case "same":
		return ipc.SameUser, nil
	case "admin":
		return ipc.Admin, nil
	default:
		return oneUser(who)
	}
}

func noUser(who string) error { return fmt.Errorf("there is no user %s", who) }

// given reports whether the option was given.
func (o *only) given() bool { return o.admits != nil }

// policy returns the policy that the option says, or another one if the option was not given.
func (o *only) policy(otherwise ipc.PeerPolicy) ipc.PeerPolicy {
	if !o.given() {
		return otherwise
	}
	return func(c ipc.Credentials) error {
		for _, admit := range o.admits {
			if admit(c) == nil {
				return nil
			}
		}
		return fmt.Errorf("-only %s does not admit it", o.text)
	}
}

// anybody admits everybody.
func anybody(ipc.Credentials) error { return nil }
