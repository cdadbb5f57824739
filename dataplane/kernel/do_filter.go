package kernel

import (
	"errors"

	"weft/dataplane/nft"
)

// filters opens a namespace's nft rules, or returns them if they are open.
func (h *hand) filters(ns NS) (*nft.Conn, error) {
	if c, ok := h.rules[ns]; ok {
		return c, nil
	}
	c, err := nft.Open(h.path(ns))
	if err != nil {
		return nil, err
	}
	h.rules[ns] = c
	return c, nil
}

// do makes the change, and if the rules are not those that it was made for, a
// larger one. So it is where a link went, and a chain on it with it or not, as
// the kernel's version has it.
func (o setFilters) do(h *hand) error {
	c, err := h.filters(o.NS)
	if err != nil {
		return err
	}
	if err := c.Apply(o.Commands); err != nil {
		if again := c.Reach(o.Want); again != nil {
			return errors.Join(err, again)
		}
	}
	return nil
}

// counts are what a namespace's rules have counted.
func (h *hand) counts(ns NS) (nft.Counts, error) {
	c, err := h.filters(ns)
	if err != nil {
		return nil, err
	}
	return c.Counts()
}

// readFilters reads a namespace's rules; want are those that it should have.
func (h *hand) readFilters(ns NS, want nft.Ruleset) (nft.Ruleset, nft.Counts, error) {
	c, err := h.filters(ns)
	if err != nil {
		return nil, nil, err
	}
	return c.Observe(want)
}
