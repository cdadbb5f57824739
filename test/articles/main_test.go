// Package articles tests Weft with what people type who build overlays by hand: the command
// blocks of articles about IPIP, GRE and VXLAN, verbatim, in testdata, each under the name of its
// article and its lines there.
//
// One host is built by a block, with the real ip and bridge. The other has a file of
// examples/local and "weft apply --local", and neither server nor store. They have to talk, and so
// do two hosts of Weft's; "weft explain" has to print the block again.
//
// What this kernel lacks the devices for is done in a virtual machine, one for the package.
//
// Do not add here what is in no article.
package articles

import (
	"os"
	"testing"

	"weft/internal/testenv"

	// See testenv.WithPrograms.
	_ "weft/cli"
	_ "weft/daemon"
)

// bin is the folder of the programs.
var bin string

func TestMain(m *testing.M) { os.Exit(testenv.WithPrograms(m, &bin).Run()) }
