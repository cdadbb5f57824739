package trace

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// The bytes are tcpdump 4.99's with --nano, but for the snap length.
func TestPcap(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p, err := NewPcapWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(0x6000_0001, 0x0203_0405)
	if err := p.Write(Frame{Time: at, Length: 60, Data: []byte{0xaa, 0xbb}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(Frame{Time: at, Data: []byte{0xcc}}); err != nil { // whole, without saying so
		t.Fatal(err)
	}
	want := "\x4d\x3c\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x01\x00\x00\x00" +
		"\x01\x00\x00\x60\x05\x04\x03\x02\x02\x00\x00\x00\x3c\x00\x00\x00\xaa\xbb" +
		"\x01\x00\x00\x60\x05\x04\x03\x02\x01\x00\x00\x00\x01\x00\x00\x00\xcc"
	if b.String() != want {
		t.Errorf("got\n%x, want\n%x", b.String(), want)
	}
}

// full fails after some writes.
type full struct{ left int }

var errFull = errors.New("no space left")

func (f *full) Write(b []byte) (int, error) {
	if f.left == 0 {
		return 0, errFull
	}
	f.left--
	return len(b), nil
}

func TestPcapFails(t *testing.T) {
	t.Parallel()
	if _, err := NewPcapWriter(&full{}); !errors.Is(err, errFull) || !strings.Contains(err.Error(), "write pcap header") {
		t.Errorf("header: %v", err)
	}
	p, err := NewPcapWriter(&full{left: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Write(Frame{}); !errors.Is(err, errFull) || !strings.Contains(err.Error(), "write pcap frame") {
		t.Errorf("frame: %v", err)
	}
}
