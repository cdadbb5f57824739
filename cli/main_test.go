package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"weft/internal/testenv"
)

// TestMain makes this test binary serve as weft, and as the weftd that "weft
// down" runs, when scripts call it by these names.
func TestMain(m *testing.M) {
	testscript.Main(testenv.Checked(m), map[string]func(){
		"weft": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			code := Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
			stop()
			os.Exit(code)
		},
		"weftd": func() {
			fmt.Println("weftd", strings.Join(os.Args[1:], " "))
			code, err := strconv.Atoi(os.Getenv("WEFTD_EXIT"))
			if err != nil {
				code = 0
			}
			os.Exit(code)
		},
	})
}
