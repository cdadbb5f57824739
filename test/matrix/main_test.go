// Package matrix tests that Weft's planes and everybody else understand each other, and writes down
// how far (docs/interop.md): each encapsulation and option, on each plane, with each peer that
// there is (a stock kernel's own devices, commands that somebody types, Open vSwitch,
// Weft on another plane), over either underlay.
//
//   - A subject is what two hosts are joined by: a network or a tunnel, with its options.
//   - A row is a subject on one of Weft's planes with one peer over one underlay. What rows there
//     are, and why there is no other, follows from one function (place).
//   - A column is something that passes between the two, or has to be refused. What is to become of it in
//     a row follows from one function, too (expected); the test of a row holds the two hosts to that,
//     and the document is printed from it.
//   - A bed is Weft's host, the peer, and the wire between them, on which packets are captured,
//     changed and sent again. Nobody behind it fills in checksums or cuts packets.
//
// Rows of one peer share a bed, one after the other. Those that need devices which the kernel
// below may lack run in a machine (internal/testenv/vm), where all is slow.
//
// Do not add here what one host alone shows, or what is in packets' headers (test/stock, test/interop).
package matrix

import (
	"testing"

	"weft/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
