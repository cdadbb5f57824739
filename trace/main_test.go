package trace

import (
	"testing"

	"weft/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// kernelFrames are the frames that Linux sent: the heads of the two files say how.
func kernelFrames(t testing.TB) map[string][]byte {
	t.Helper()
	all := testenv.Frames(t, "../packet/testdata/frames.txt")
	for name, b := range testenv.Frames(t, "../encap/testdata/frames.txt") {
		all["vxlan "+name] = b
	}
	return all
}

// kernelPorts are the VXLAN ports of the second file.
var kernelPorts = []uint16{4789, 4790, 4791}
