// Weftd is Weft's daemon: the server, the agent, or both.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"weft/daemon"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := daemon.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
