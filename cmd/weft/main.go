// Command weft is Weft's command line; see docs/cli.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"weft/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
