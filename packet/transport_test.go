package packet

import (
	"errors"
	"testing"
)

func TestUDP(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]UDP{
		"udp4": {SrcPort: 33319, DstPort: 5000, Length: 13, Checksum: 0x3a00},
		"udp6": {SrcPort: 50596, DstPort: 5000, Length: 13, Checksum: 0x871d},
	} {
		t.Run(name, func(t *testing.T) {
			b := segment(t, name)
			checkParse(t, b, ParseUDP, want, 5)
			checkCutOff(t, b, ParseUDP)
			checkParse(t, append(b[:len(b):len(b)], 0, 0, 0), ParseUDP, want, 5)
		})
	}
}

func TestUDPRefuses(t *testing.T) {
	t.Parallel()
	b := segment(t, "udp4")
	checkRefusals(t, ParseUDP, []refusal{
		{"length 0", with(b, 4, 0, 0), ErrMalformed, "length 0"},
		{"length within the header", with(b, 4, 0, 7), ErrMalformed, "length 7"},
		{"payload cut off", b[:12], ErrCut, "12 of 13"},
		{"length that lies", with(b, 4, 0xff, 0xff), ErrCut, "13 of 65535"},
	})
	if _, rest, err := ParseUDP(b[:12]); !errors.Is(err, ErrCut) || string(rest) != "hell" {
		t.Errorf("cut off: %q, %v", rest, err)
	}
}

func TestTCP(t *testing.T) {
	t.Parallel()
	options := func(s string) Options {
		o, err := MakeOptions(unhex(t, s))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for _, c := range []struct {
		name  string
		want  TCP
		rest  int
		flags string
	}{
		{"tcp4-syn", TCP{
			SrcPort: 38926, DstPort: 8080, Seq: 3705422987, Flags: SYN, Window: 65280, Checksum: 0x9de4,
			Options: options("020405500402080a3414b20e000000000103030a"),
		}, 0, "SYN"},
		{"tcp4-data", TCP{
			SrcPort: 38926, DstPort: 8080, Seq: 3705422988, Ack: 1282095024, Flags: PSH | ACK, Window: 64,
			Checksum: 0xaec5, Options: options("0101080a3414b20e66b45385"),
		}, 4, "PSH ACK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := segment(t, c.name)
			checkParse(t, b, ParseTCP, c.want, c.rest)
			checkCutOff(t, b, ParseTCP)
			if c.want.Flags.String() != c.flags {
				t.Errorf("flags %q, want %q", c.want.Flags, c.flags)
			}
		})
	}
}

func TestTCPKeepsReservedBitsAndUrgent(t *testing.T) {
	t.Parallel()
	b := with(segment(t, "tcp4-data"), 12, 0x8f, 0xff)
	b = with(b, 18, 0x12, 0x34)
	h, _, err := ParseTCP(b)
	if err != nil || h.Flags != 0xfff || h.Urgent != 0x1234 {
		t.Errorf("got %+v, %v", h, err)
	}
	if got := string(h.Append(nil)); got != string(b[:32]) {
		t.Errorf("Append gives %x", got)
	}
	if got := h.Flags.String(); got != "FIN SYN RST PSH ACK URG ECE CWR" {
		t.Errorf("flags %q", got)
	}
	if got := TCPFlags(0).String(); got != "" {
		t.Errorf("no flags: %q", got)
	}
}

func TestTCPRefuses(t *testing.T) {
	t.Parallel()
	b := segment(t, "tcp4-syn")
	checkRefusals(t, ParseTCP, []refusal{
		{"header of 16 bytes", with(b, 12, 0x40), ErrMalformed, "header length 16"},
		{"header of no bytes", with(b, 12, 0x00), ErrMalformed, "header length 0"},
		{"header behind the end", with(b, 12, 0xf0), ErrShort, "40 of 60"},
	})
}
