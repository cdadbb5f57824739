// Package stock tests what Weft says of the tunnel devices of a distribution's kernel
// (internal/testenv/vm), which has every one that the kernel below the tests may lack: their packets,
// header by header, are those of package encap, and their MTUs its arithmetic.
//
// That they are peers of Weft's planes is tested in test/matrix. Do not add here what the
// machine's own kernel can show: machines compute slowly.
package stock

import (
	"testing"

	"weft/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
