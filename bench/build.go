package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// buildDir is the folder for programs and results. All paths are relative to the folder of this file.
const buildDir = "build"

// A program is what contenders run, and how it is built.
type program struct {
	path    string // below buildDir, ending in the name of its source
	command func(source string) ([]string, error)
}

// programs has all of them, by name.
var programs = map[string]program{
	"ipc":             {"ipc", inGo},
	"net":             {"net", inGo},
	"mdlayher":        {"mdlayher", inGo},
	"shmipc":          {"shmipc", inGo},
	"floor":           {"floor", inC("", "-pthread")},
	"lipc":            {"lipc", inC("", "-fvisibility=hidden", "-I../include", "../csrc/all.c", "-pthread")},
	"nomembarrier":    {"nomembarrier", inC("", "-fvisibility=hidden", "-I../include", "c/lipc.c", "-pthread")},
	"libuv":           {"libuv", inC("libuv", "-pthread")},
	"zeromq":          {"zeromq", inC("libzmq", "-pthread")},
	"interprocess":    {"rust/release/interprocess", inRust},
	"tokio-seqpacket": {"rust/release/tokio_seqpacket", inRust},
	"iceoryx2":        {"rust/release/iceoryx2", inRustWith("iceoryx2")},
}

func inGo(source string) ([]string, error) {
	return []string{cmp.Or(os.Getenv("GO"), "go"), "build", "-o", filepath.Join(buildDir, source), "./contenders/" + source}, nil
}

func inRust(source string) ([]string, error) {
	return []string{"cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", "rust/Cargo.toml",
		"--target-dir", filepath.Join(buildDir, "rust"), "--bin", source}, nil
}

// inRustWith builds with a feature that others are built without, since what it needs may be missing.
func inRustWith(feature string) func(source string) ([]string, error) {
	return func(source string) ([]string, error) {
		command, err := inRust(source)
		return append(command, "--features", feature), err
	}
}

// inC builds with a library that pkg-config knows, or none, and with more flags.
func inC(library string, flags ...string) func(source string) ([]string, error) {
	return func(source string) ([]string, error) {
		command := strings.Fields(cmp.Or(os.Getenv("CC"), "cc")) // it may have flags
		command = append(command, "-std=c11", "-O2", "-o", filepath.Join(buildDir, source), "c/"+source+".c", "c/contender.c",
			"c/crowd.c")
		command = append(command, flags...)
		if library == "" {
			return command, nil
		}
		found, err := run(context.Background(), "pkg-config", "--cflags", "--libs", library)
		return append(command, strings.Fields(string(found))...), err
	}
}

// missing is a program that could not be built.
type missing struct {
	Program    string   `json:"program"`
	Contenders []string `json:"contenders"`
	Reason     string   `json:"reason"`
}

// build builds the programs of contenders, and returns those that could not be built.
func build(ctx context.Context, chosen []contender) ([]missing, error) {
	if err := os.MkdirAll(buildDir, 0o777); err != nil {
		return nil, err
	}
	var gone []missing
	done := map[string]bool{}
	for _, c := range chosen {
		if done[c.Program] {
			continue
		}
		done[c.Program] = true
		err := buildOne(ctx, c.Program)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			gone = append(gone, missing{c.Program, namesOf(chosen, c.Program), err.Error()})
		}
	}
	return gone, nil
}

func buildOne(ctx context.Context, name string) error {
	p := programs[name]
	command, err := p.command(filepath.Base(p.path))
	if err != nil {
		return err
	}
	_, err = run(ctx, command...)
	return err
}

// run runs a command to its end. Its error has the line of the output that reason returns.
func run(ctx context.Context, command ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if line := reason(stderr.String()); err != nil && line != "" {
		err = fmt.Errorf("%s: %s", filepath.Base(command[0]), line)
	}
	return output, err
}

// reason returns the first line of output that mentions an error, or else the first that is not empty.
func reason(output string) string {
	lines := slices.DeleteFunc(strings.Split(output, "\n"), func(line string) bool {
		line = strings.TrimSpace(line)
		return line == "" || strings.HasPrefix(line, "# ") // go build prints a package's name so
	})
	if len(lines) == 0 {
		return ""
	}
	i := slices.IndexFunc(lines, func(line string) bool {
		return strings.Contains(line, "error") || strings.Contains(line, "not found") || strings.Contains(line, "cannot")
	})
	return strings.TrimSpace(lines[max(i, 0)])
}

func namesOf(chosen []contender, program string) []string {
	var names []string
	for _, c := range chosen {
		if c.Program == program {
			names = append(names, c.Name)
		}
	}
	return names
}
