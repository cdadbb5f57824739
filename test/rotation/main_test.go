// Package rotation tests, with the real programs on the hosts of lab.Demo, that
// certificates of a minute are renewed under traffic. It is a package of its own because
// it takes two minutes in which next to nothing happens: test/events starts it first, and
// runs all others beside it.
//
// Do not add here what can be seen in less time.
package rotation

import (
	"testing"

	"weft/internal/testenv"

	// The programs are built by the go command, which go test does not see: by
	// these it knows that its cached result is of the past when they change.
	_ "weft/cli"
	_ "weft/daemon"
)

func TestMain(m *testing.M) { testenv.Main(m) }
