package nft

import (
	"errors"
	"fmt"
	"io/fs"
	"net"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// Conn reads and changes the tables of one network namespace. It is for one
// goroutine, and keeps the namespace alive until Close.
type Conn struct {
	*socket
	ns string
}

// Open opens the namespace at path.
func Open(path string) (*Conn, error) {
	s, err := openSocket(path)
	if err != nil {
		return nil, err
	}
	return &Conn{s, path}, nil
}

// Apply makes changes in one transaction: all or none. The error names the first
// that the kernel refused.
func (c *Conn) Apply(commands []Command) error {
	if len(commands) == 0 {
		return nil
	}
	e := c.encoder()
	messages := make([]message, len(commands))
	for i, command := range commands {
		m, err := e.encode(command)
		if err != nil {
			return fmt.Errorf("nft %s: %w", shortened(command), err)
		}
		messages[i] = m
	}
	failed, err := c.transact(messages)
	switch {
	case err == nil:
		return nil
	case failed < 0 || failed >= len(commands):
		return fmt.Errorf("apply nft rules: %w", err)
	}
	if _, ok := commands[failed].Rule.forwards(); ok && errors.Is(err, unix.ENOENT) {
		err = fmt.Errorf("needs nft's fwd (Linux 4.17 with CONFIG_NFT_FWD_NETDEV): %w", err)
	}
	return fmt.Errorf("nft %s: %w", shortened(commands[failed]), err)
}

// Reach makes the tables the wanted ones, whatever they are.
func (c *Conn) Reach(want Ruleset) error {
	have, _, err := c.Observe(want)
	if err != nil {
		return err
	}
	if err := c.Apply(Diff(want, have)); err == nil {
		return nil
	}
	return c.Apply(Rebuild(want, have))
}

func (c *Conn) encoder() *encoder {
	indexes := map[string]int{}
	return &encoder{index: func(device string) (int, error) {
		if i, ok := indexes[device]; ok {
			return i, nil
		}
		i, err := c.index(device)
		indexes[device] = i
		return i, err
	}}
}

// index is that of a device in the namespace.
func (c *Conn) index(device string) (index int, err error) {
	err = netns.Do(c.ns, func() error {
		i, err := net.InterfaceByName(device)
		if err != nil {
			return fmt.Errorf("there is no device %s: %w", device, errors.Join(fs.ErrNotExist, err))
		}
		index = i.Index
		return nil
	})
	return index, err
}

// shortened is a command for an error's line.
func shortened(c Command) string {
	const enough = 200
	s := c.String()
	if len(s) > enough {
		s = s[:enough] + "…"
	}
	return s
}
