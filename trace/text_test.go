package trace

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/internal/testenv"
)

func TestTextOfKernelFrames(t *testing.T) {
	t.Parallel()
	frames := kernelFrames(t)
	var s strings.Builder
	for _, name := range slices.Sorted(maps.Keys(frames)) {
		s.WriteString("== " + name + "\n" + Text(Decode(frames[name], kernelPorts...), nil, TextOptions{}) + "\n")
	}
	testenv.Golden(t, "lines.txt", s.String())
}

func TestTextWithFieldsAndHex(t *testing.T) {
	t.Parallel()
	frames := kernelFrames(t)
	for name, file := range map[string]string{
		"vxlan v4-echo4": "vxlan4.txt", "vxlan v6-echo6": "vxlan6.txt", "tcp4-syn": "tcp.txt", "na": "na.txt",
	} {
		frame := frames[name]
		testenv.Golden(t, file, Text(Decode(frame, kernelPorts...), frame, TextOptions{Fields: true, Hex: true}))
	}
}

func TestTextHexWithoutTheFrame(t *testing.T) {
	t.Parallel()
	frame := kernelFrames(t)["arp-request"]
	layers := Decode(frame)
	if got, want := Text(layers, nil, TextOptions{Hex: true}), Text(layers, nil, TextOptions{}); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	if got := Text(layers, frame[:20], TextOptions{Hex: true}); !strings.Contains(got, "000e  00 01 08 00 06 04\n") {
		t.Errorf("got\n%s", got)
	}
	if got := Text(nil, nil, TextOptions{}); got != "" {
		t.Errorf("of no layers: %q", got)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	frames := kernelFrames(t)
	b, err := json.MarshalIndent(Decode(frames["vxlan v4-arp"], kernelPorts...), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	testenv.Golden(t, "vxlan4-arp.json", string(b)+"\n")

	for name, frame := range frames {
		want := Decode(frame, kernelPorts...)
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got []Layer
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: JSON loses\n%s", name, diff)
		}
	}
}
