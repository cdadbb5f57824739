package ebpf

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/cilium/ebpf"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/encap"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// What a program on tcx may answer (include/uapi/linux/pkt_cls.h).
const (
	actUnspec   = 1<<32 - 1 // on to the next program, and to the host
	actShot     = 2
	actRedirect = 7
)

// The marks of bpf/verdict.h.
const (
	markWrapped = 0x77656674
	markMember  = 0x77656d62
)

// skb is the beginning of struct __sk_buff (include/uapi/linux/bpf.h).
type skb struct {
	Len, PacketType, Mark, Queue, Protocol, VLANPresent, VLANTCI, VLANProtocol, Priority, Ingress, Device uint32
}

// run has a program look at a frame, on a device (BPF_PROG_TEST_RUN).
func run(p *ebpf.Program, device int, mark uint32, frame []byte) (uint32, error) {
	return p.Run(&ebpf.RunOptions{Data: frame, Context: skb{Device: uint32(device), Mark: mark}})
}

// running is a program where it runs, and what comes there.
type running struct {
	name   string
	role   role
	device string
	marks  []uint32
	frames [][]byte
}

// A program answers nothing but what it may to any frame: whole, cut off, changed.
func TestOddFrames(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	state := stateWith("blue", "red")
	state.Networks["red"] = routed(state.Networks["red"])
	b.apply(t, state)
	devices := b.devices(t)
	for _, name := range []overlay.NetworkName{"blue", "red"} {
		inside, outside, leaving := frames(), [][]byte{}, [][]byte{}
		for _, f := range inside {
			outside = append(outside, tunnelled(name, f))
			leaving = append(leaving, between(dataplanetest.Local(overlay.V4).Addr(), vtepB, name, f))
		}
		for _, r := range []running{
			{"port", onPort, string(name) + "-alice", []uint32{0}, inside},
			{"gateway", onGateway, gatewayDevice(name), []uint32{0}, inside},
			{"wrapped", onGateway, gatewayDevice(name), []uint32{markWrapped}, leaving},
			{"tunnel", onTunnel, tunnelDevice(name), []uint32{0, markMember}, inside},
			{"underlay", onUnderlay, "eth0", []uint32{0}, outside},
		} {
			t.Run(fmt.Sprintf("%s/%s", name, r.name), func(t *testing.T) {
				seed := rand.Uint64()
				t.Logf("seed %d", seed)
				random := rand.New(rand.NewPCG(seed, 0))
				answers := map[uint32]int{}
				if err := netns.Do(b.on.Namespace, func() error {
					for range testenv.Rounds(10000, 1000000) {
						frame := odd(random, r.frames)
						mark := r.marks[random.IntN(len(r.marks))]
						got, err := run(b.programs.program(r.role), devices[r.device], mark, frame)
						answers[got]++
						switch {
						case err != nil:
							return fmt.Errorf("run on %x: %w", frame, err)
						case got != actUnspec && got != actShot && got != actRedirect:
							return fmt.Errorf("answer %d to %x", got, frame)
						case got == actUnspec && r.role != onUnderlay:
							return fmt.Errorf("passed on to the host: %x", frame)
						}
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
				if len(answers) < 2 || answers[actShot] == 0 {
					t.Errorf("the frames are not odd enough, or too odd: answers %v", answers)
				}
			})
		}
	}
	if _, err := b.Deliveries(); err != nil {
		t.Error(err)
	}
	b.passes(t, "blue")
	b.settled(t)
}

// What nobody here has sent is dropped, and all of it is counted.
func TestNoise(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	b.apply(t, stateWith("blue"))
	device := b.devices(t)["blue-alice"]
	const frames = 1000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	if err := netns.Do(b.on.Namespace, func() error {
		for range frames {
			if got, err := run(b.programs.objects.FromPort, device, 0, noise(random, 14+random.IntN(1400))); err != nil || got != actShot {
				return fmt.Errorf("answer %d, %w", got, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	drops, err := b.programs.Drops(vniOf("blue"))
	if err != nil {
		t.Fatal(err)
	}
	sum := uint64(0)
	for _, n := range drops {
		sum += n
	}
	if sum != frames {
		t.Errorf("want %d drops counted, got %v", frames, drops)
	}
}

// routed is a network of the other kind, with the same endpoints.
func routed(n dataplane.Network) dataplane.Network {
	n.Kind, n.Remotes, n.Neighbors = overlay.Routed, nil, nil
	n.Routes = map[netip.Prefix]dataplane.Route{netip.MustParsePrefix("10.7.2.0/24"): {Node: "b"}}
	return n
}

// frames are what alice and others send.
func frames() [][]byte {
	var all [][]byte
	data := []byte("some data")
	for _, to := range []overlay.MAC{bob.mac, carol.mac, vniOf("blue").GatewayMAC(), vniOf("red").GatewayMAC(), overlay.VTEPMACFor("a"), {0x33, 0x33, 0, 0, 0, 1}} {
		for _, ends := range []packet.Ends{
			{SrcMAC: alice.mac, DstMAC: to, Src: alice.ip, Dst: carol.ip},
			{SrcMAC: alice.mac, DstMAC: to, Src: alice.mac.LinkLocal(), Dst: bob.mac.LinkLocal()},
		} {
			all = append(all,
				ends.UDP(68, 67, data), ends.EchoRequest(1, 2, data), ends.UDP(4000, 4001, make([]byte, 1440)),
				ends.TCP(packet.TCP{SrcPort: 4000, DstPort: 80, Flags: packet.SYN, Window: 1000}, data))
		}
	}
	for _, whom := range []station{bob, carol} {
		all = append(all, packet.ARPRequestFrame(alice.mac, alice.ip, whom.ip), packet.NSFrame(alice.mac, alice.mac.LinkLocal(), whom.mac.LinkLocal()))
	}
	return all
}

// tunnelled is a frame on its way through the underlay, from node b.
func tunnelled(name overlay.NetworkName, inner []byte) []byte {
	return between(vtepB, dataplanetest.Local(overlay.V4).Addr(), name, inner)
}

// between is a frame in a tunnel packet from one VTEP to another.
func between(from, to netip.Addr, name overlay.NetworkName, inner []byte) []byte {
	outer := encap.Wrap(encap.Outer{Src: from, Dst: to, DstPort: overlay.DefaultVXLANPort, VNI: vniOf(name)}, inner)
	return append(packet.Ethernet{Type: packet.TypeIPv4}.Append(nil), outer...)
}

// odd is one of the frames as it should not be.
func odd(random *rand.Rand, frames [][]byte) []byte {
	frame := slices.Clone(frames[random.IntN(len(frames))])
	if random.IntN(4) == 0 { // tagged, once or twice
		tag := binary.BigEndian.AppendUint16([]byte{0x81, 0x00}, uint16(random.Uint32()))
		for range 1 + random.IntN(2) {
			frame = slices.Insert(frame, 12, tag...)
		}
	}
	for range random.IntN(4) { // the first headers are what counts
		frame[random.IntN(min(len(frame), 100))] = byte(random.Uint32())
	}
	switch random.IntN(4) {
	case 0:
		frame = frame[:packet.EthernetLen+random.IntN(len(frame)-packet.EthernetLen)]
	case 1:
		frame = append(frame, noise(random, random.IntN(100))...)
	}
	return append(frame, make([]byte, max(0, shortest(frame)-len(frame)))...)
}

// shortest is the length of a frame below which the kernel runs no program for a test
// (net/bpf/test_run.c, bpf_prog_test_run_skb).
func shortest(frame []byte) int {
	switch packet.EtherType(binary.BigEndian.Uint16(frame[12:])) {
	case packet.TypeIPv4:
		return packet.EthernetLen + packet.IPv4MinLen
	case packet.TypeIPv6:
		return packet.EthernetLen + packet.IPv6Len
	}
	return packet.EthernetLen
}

func noise(random *rand.Rand, length int) []byte {
	b := make([]byte, length)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}
