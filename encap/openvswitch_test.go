package encap

import (
	"bytes"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// The packets of every tunnel of Open vSwitch's are read as what they are, and ours are the
// same. (test/interop, TestHeaders, has captured them.)
func TestTunnelsAreOpenVSwitchs(t *testing.T) {
	t.Parallel()
	seen := 0
	for name, frame := range testenv.Frames(t, "testdata/openvswitch.txt") {
		_, b, err := packet.ParseEthernet(frame)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		device := strings.TrimSuffix(name, "6")
		mode, _, _ := strings.Cut(device, "-")
		want, ok := map[string]Outer{
			"vxlan":         {SrcPort: 50000, DstPort: 4789, VNI: 0xabcd01, Inner: packet.TypeTEB},
			"geneve":        {SrcPort: 50000, DstPort: 6081, VNI: 0xabcd02, Inner: packet.TypeTEB},
			"geneve-option": {SrcPort: 50000, DstPort: 6081, VNI: 0xabcd03, Inner: packet.TypeTEB},
			"gretap":        {NoKey: true, Inner: packet.TypeTEB},
			"gretap-key":    {VNI: 0xabcd04, Inner: packet.TypeTEB},
			"gretap-csum":   {VNI: 0xabcd05, Checksum: true, Inner: packet.TypeTEB},
			"gretap-seq":    {VNI: 0xabcd06, HasSequence: true, Inner: packet.TypeTEB},
			"gre":           {VNI: 0xabcd08, Inner: packet.TypeIPv4},
		}[device]
		if !ok {
			t.Errorf("%s is not known here", name)
			continue
		}
		seen++
		got, inner, err := UnwrapTunnel(overlay.TunnelMode(mode), b, want.DstPort)
		want.Encapsulation, want.Src, want.Dst = encapsulationOf(overlay.TunnelMode(mode)), got.Src, got.Dst
		if err != nil || got != want || !bytes.HasSuffix(inner, []byte("Open vSwitch")) {
			t.Errorf("%s: %+v, %x, %v, want %+v", name, got, inner, err, want)
		}
		if again := Wrap(got, inner); device != "geneve-option" && !bytes.Equal(again, b) {
			t.Errorf("%s: Wrap gives\n%x, want\n%x", name, again, b)
		}
	}
	if seen != 16 {
		t.Errorf("%d packets are in the file", seen)
	}
}
