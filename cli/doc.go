// Package cli is the command weft: what people type, and what they get to read.
//
// A command is a file of its own, which holds its help text, its flags and what
// it does; run.go puts them together. Commands speak to two sides: the servers'
// API, with a credentials file, and this host's agent, through its socket. What
// they read is printed by cli/output; what they apply is read by cli/manifest.
//
// Errors are returned, never printed by commands: Run prints one line and gives
// the exit code (docs/exit-codes.md). The reference in docs/cli is generated
// from the help texts.
//
// The command links neither etcd nor BPF nor a plane: of dataplane it imports
// the types of what a host has, and what only weftd can do is done by weftd.
package cli
