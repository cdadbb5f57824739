// Package stock tests Weft with the kernels of a distribution (internal/testenv/vm), which
// have every tunnel device that the one below the tests may lack:
//
//   - The kernel's own devices are the peers of Weft's planes, in a virtual machine on the
//     wire, as somebody makes them who types "ip link add" and knows nothing of Weft.
//   - Their packets, header by header, are those of package encap, and their MTUs its
//     arithmetic.
//   - The first test runs in virtual machines, too, planes and all, on the oldest kernel that Weft
//     is for, and on a newer one.
//
// Do not add here what the machine's own kernel can show: machines compute slowly.
package stock

import (
	"testing"

	"weft/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
