package ebpf

import (
	"fmt"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// Programs remember the way of a flow, but not for long: a next hop that changes has the flow's
// packets soon.
func TestWay(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	b.apply(t, stateWith("blue"))
	device := b.devices(t)["blue-alice"]
	frame := packet.Ends{SrcMAC: alice.mac, DstMAC: carol.mac, Src: alice.ip, Dst: carol.ip}.UDP(4000, 4001, []byte("some data"))
	for _, hop := range []overlay.MAC{{2, 0, 0, 0, 9, 1}, {2, 0, 0, 0, 9, 2}, {2, 0, 0, 0, 9, 3}} {
		testenv.Run(t, b.on.Namespace, "ip", "neigh", "replace", vtepB.String(), "lladdr", hop.String(), "dev", "eth0", "nud", "permanent")
		testenv.Eventually(t, 5*time.Second, func() error {
			got, err := b.sendOut(device, frame)
			if err == nil && got != hop {
				return fmt.Errorf("packets go to %v, want %v", got, hop)
			}
			return err
		}, "the next hop has the packets")
	}
}

// sendOut has a port's program look at a frame, and returns whom it sends the packet to.
func (b *bed) sendOut(device int, frame []byte) (to overlay.MAC, err error) {
	out := make([]byte, len(frame)+100)
	err = netns.Do(b.on.Namespace, func() error {
		options := ebpf.RunOptions{Data: frame, DataOut: out, Context: skb{Device: uint32(device)}}
		got, err := b.programs.program(onPort).Run(&options)
		if err == nil && got != actRedirect {
			err = fmt.Errorf("answer %d", got)
		}
		return err
	})
	return overlay.MAC(out[:6]), err
}
