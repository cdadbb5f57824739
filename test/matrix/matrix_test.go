package matrix

import (
	"testing"

	"weft/internal/testenv"
	"weft/internal/testenv/vm"
	"weft/overlay"
)

// TestStock: the peer is a machine on the wire.
func TestStock(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	read(t, newBed(t, newMachine).take(t, rowsAt(onWire, stock)))
}

// TestTyped: the peer is a namespace of this machine's.
func TestTyped(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	read(t, newBed(t, newNeighbor).take(t, rowsAt(beside, typed)))
}

// TestWeft: the peer is Weft on another plane.
func TestWeft(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	read(t, newBed(t, newOther).take(t, rowsAt(beside, weftEBPF, weftKernel, weftUser)))
}

// TestOpenVSwitch: the peer is Open vSwitch.
func TestOpenVSwitch(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	read(t, newBed(t, newSwitch).take(t, rowsAt(beside, ovs)))
}

// TestWithin: both hosts are namespaces of a machine, whose kernel has all devices. On the oldest
// kernel that Weft is for, planes load and forward, too.
func TestWithin(t *testing.T) {
	t.Parallel()
	vm.Each(t, vm.Kernels, vm.Options{}, func(t *testing.T) {
		if kernel, _ := vm.Here(); kernel == vm.Linux61 {
			newBed(t, newNeighbor).take(t, briefly(rows))
			return
		}
		t.Run("Linux", func(t *testing.T) { newBed(t, newNeighbor).take(t, rowsAt(within, stock)) })
		t.Run("Weft", func(t *testing.T) { newBed(t, newOther).take(t, rowsAt(within, weftKernel)) })
	})
}

// briefly leaves out what a slow machine need not be asked: of each plane and encapsulation a bridged
// network over IPv4 is left, and a routed one over IPv6. Bare packets in UDP cannot be captured where
// both hosts are in one kernel: it takes the outer header off in place, whoever else has the packet
// (net/ipv4/fou_core.c, fou_recv_pull).
func briefly(all []row) (few []row) {
	type sort struct {
		plane overlay.PlaneName
		form  form
		mode  overlay.TunnelMode
	}
	over := map[form]overlay.Family{bridged: v4, routed: v6}
	seen := map[sort]bool{}
	for _, r := range all {
		if s := (sort{r.plane, r.form, r.mode}); r.peer == stock && r.over == over[r.form] && r.mode != overlay.TunnelUDP && !seen[s] {
			seen[s] = true
			few = append(few, r)
		}
	}
	return few
}
