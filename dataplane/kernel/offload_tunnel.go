package kernel

import (
	"errors"

	"golang.org/x/sys/unix"
)

// offloads are what a link spares the host: to read, to set, and as ethtool -K has it. Without
// them the host makes each packet by itself.
var offloads = []struct {
	get, set uint32
	word     string
}{
	{unix.ETHTOOL_GTXCSUM, unix.ETHTOOL_STXCSUM, "tx"},
	{unix.ETHTOOL_GSG, unix.ETHTOOL_SSG, "sg"},
	{unix.ETHTOOL_GTSO, unix.ETHTOOL_STSO, "tso"},
	{unix.ETHTOOL_GGSO, unix.ETHTOOL_SGSO, "gso"},
}

// setUnaided takes a link's offloads away.
type setUnaided struct{ ID LinkID }

func (o setUnaided) String() string {
	words := []string{"-K", o.ID.Name}
	for _, f := range offloads {
		words = append(words, f.word, "off")
	}
	return o.ID.NS.enter("ethtool", words...)
}

func (o setUnaided) do(h *hand) error {
	s, err := h.in(o.ID.NS)
	if err != nil {
		return err
	}
	for _, f := range offloads {
		if _, err := s.feature(o.ID.Name, f.set, 0); err != nil {
			return err
		}
	}
	return nil
}

// unaided finds out which of the links that are to be so have no offloads.
func (o *observer) unaided() error {
	for id := range o.want.Unaided {
		if !has(o.Links, id) {
			continue
		}
		s, err := o.hand.in(id.NS)
		if err != nil {
			return err
		}
		on := uint32(0)
		for _, f := range offloads {
			value, err := s.feature(id.Name, f.get, 0)
			if errors.Is(err, unix.ENODEV) {
				value = 1 // not even the link is there
			} else if err != nil {
				return err
			}
			on |= value
		}
		if on == 0 {
			o.Unaided[id] = struct{}{}
		}
	}
	return nil
}
