package nlmsg_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"weft/internal/nlmsg"
)

// attribute is one as the kernel writes it.
func attribute(kind uint16, value string) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	return append(b, make([]byte, -len(b)&3)...)
}

func message(kind, flags uint16, payload []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(16+len(payload)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, 7)  // sequence
	b = binary.NativeEndian.AppendUint32(b, 42) // port
	b = append(b, payload...)
	return append(b, make([]byte, -len(b)&3)...)
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	b := slices.Concat(attribute(3, "eth0\x00"), attribute(1|unix.NLA_F_NESTED, ""), attribute(2, "x"))
	var got []string
	nlmsg.Attributes(b, func(kind uint16, v []byte) { got = append(got, string('0'+rune(kind))+nlmsg.Text(v)) })
	if want := []string{"3eth0", "1", "2x"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	b := slices.Concat(message(16, 2, []byte("one")), message(17, 0, []byte("four")))
	var got []string
	nlmsg.Messages(b, func(h unix.NlMsghdr, payload []byte) {
		if h.Seq != 7 || h.Pid != 42 {
			t.Errorf("header %+v", h)
		}
		got = append(got, string(payload))
	})
	if want := []string{"one", "four"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	errno := binary.NativeEndian.AppendUint32(nil, uint32(0x100000000-int64(unix.EEXIST)))
	request := message(16, 0, []byte("what was asked"))
	words := attribute(unix.NLMSGERR_ATTR_MSG, "it is there\x00")
	header := func(flags uint16) unix.NlMsghdr { return unix.NlMsghdr{Type: unix.NLMSG_ERROR, Flags: flags} }
	for name, c := range map[string]struct {
		h       unix.NlMsghdr
		payload []byte
		want    string
	}{
		"done":          {header(0), make([]byte, 20), ""},
		"short":         {header(0), []byte{1}, ""},
		"no words":      {header(0), slices.Concat(errno, request), "file exists"},
		"words":         {header(unix.NLM_F_ACK_TLVS), slices.Concat(errno, request, words), "file exists (it is there)"},
		"words, capped": {header(unix.NLM_F_ACK_TLVS | unix.NLM_F_CAPPED), slices.Concat(errno, request[:16], words), "file exists (it is there)"},
		"cut off":       {header(unix.NLM_F_ACK_TLVS), slices.Concat(errno, request[:16]), "file exists"},
	} {
		err := nlmsg.Error(c.h, c.payload)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || err.Error() != c.want):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		case c.want != "" && !errors.Is(err, unix.EEXIST):
			t.Errorf("%s: %v is not EEXIST", name, err)
		}
	}
}

// Whatever the bytes, nothing is read that is not there.
func FuzzRead(f *testing.F) {
	f.Add(message(unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS, slices.Concat(make([]byte, 20), attribute(1, "x"))))
	f.Add(attribute(3, "eth0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		read := 0
		nlmsg.Messages(b, func(h unix.NlMsghdr, payload []byte) {
			read += unix.SizeofNlMsghdr + len(payload)
			_ = nlmsg.Error(h, payload)
		})
		if read > len(b) {
			t.Errorf("%d bytes read of %d", read, len(b))
		}
		read = 0
		nlmsg.Attributes(b, func(_ uint16, v []byte) { read += 4 + len(nlmsg.Text(v)) })
		if read > len(b) {
			t.Errorf("%d bytes read of %d", read, len(b))
		}
	})
}
