// Package interop tests what others see of the packets that Weft's planes send: routers between two
// hosts, workloads that send more than fits, and Open vSwitch, whose own packets are held to
// package encap.
//
// Two hosts are on one underlay segment, each with a workload: on the first is the plane under
// test, on the second another one, or nobody.
//
// Who understands whom is tested in test/matrix. Do not add here what a plane's own tests can show
// without a second host.
package interop

import (
	"testing"

	"weft/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
