package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"time"
)

// programs are what the tests have the command run: the same on every system.
var programs = map[string]func(arguments []string) error{
	"program:copy": func([]string) error {
		_, err := io.Copy(os.Stdout, os.Stdin)
		return err
	},
	"program:environment": func(names []string) error {
		for _, name := range names {
			fmt.Printf("%s=%s\n", name, os.Getenv(name))
		}
		return nil
	},
	"program:exit": func(arguments []string) error {
		code, err := strconv.Atoi(arguments[0])
		if err == nil {
			os.Exit(code)
		}
		return err
	},
	"program:wait": func([]string) error { // until its input ends, or it is asked to end
		fmt.Println(os.Getpid())
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	},
	"program:stubborn": func([]string) error { // cannot be asked to end
		signal.Ignore()
		fmt.Println(os.Getpid())
		time.Sleep(time.Hour)
		return nil
	},
	"program:sum": func([]string) error {
		sum := sha256.New()
		if _, err := io.Copy(sum, os.Stdin); err != nil {
			return err
		}
		fmt.Printf("%x  %s  %s\n", sum.Sum(nil), os.Getenv("LIPC_FILE_SIZE"), os.Getenv("LIPC_FILE_NAME"))
		return nil
	},
	"program:reads": func([]string) error { // each read is answered with its size
		b := make([]byte, 1<<16)
		for {
			n, err := os.Stdin.Read(b)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			fmt.Printf("%d bytes", n)
		}
	},
}
