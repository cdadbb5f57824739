// Compare measures Weft beside what else carries packets between two hosts, on hosts
// in network namespaces that it builds (root): see package course.
//
//	make bench
//	make bench ARGS='-parts on,nic -rounds 3'
//	make bench ARGS='-write docs'
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"weft/bench/course"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(course.Command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
