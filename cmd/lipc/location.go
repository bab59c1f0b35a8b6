package main

import (
	"context"
	"flag"
	"fmt"
)

var locationCommand = command{
	name: "location", arguments: "NAME",
	about: "print the path by which other programs reach NAME",
	details: `
Prints the path of the socket file, or on Windows of the pipe, so that programs that do not know lipc can use NAME. A
name in Linux's abstract namespace has no path; it is printed with "@" in front, as ss(8) does. Nothing is created, and
nobody need listen there.

A path also reaches the "user:" name of another user, which only root may enter.

  lipc location user:talk
  curl --unix-socket "$(lipc location user:http)" http://local/
  sudo lipc send-files "$(lipc location user:inbox)" secret.txt`,
	define: func(*flag.FlagSet) run {
		return func(_ context.Context, arguments, _ []string) error {
			name, err := oneName(arguments)
			if err != nil {
				return err
			}
			location, err := name.Location()
			if err != nil {
				return err
			}
			_, err = fmt.Println(location)
			return outputError(err)
		}
	},
}
