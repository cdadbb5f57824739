package ebpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// pinnedLinks attaches by tcx, with a link for each attachment that is pinned in a folder:
// "17-port" is that of the device with index 17.
type pinnedLinks struct {
	dir string
	// host is the path of the namespace that the devices are in.
	host string
}

func (l pinnedLinks) pin(a attachment) string {
	return filepath.Join(l.dir, fmt.Sprintf("%d-%s", a.index, a.role))
}

func (l pinnedLinks) attach(a attachment, p *ebpf.Program) error {
	pinned, err := link.LoadPinnedLink(l.pin(a), nil)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return l.fresh(a, p)
	case err != nil:
		return err
	}
	defer pinned.Close()
	info, err := pinned.Info()
	if err != nil {
		return err
	}
	if t := info.TCX(); t == nil || t.Ifindex != a.index { // somebody has detached it
		return errors.Join(l.detach(a), l.fresh(a, p))
	}
	return pinned.Update(p)
}

// fresh attaches where nothing is pinned.
func (l pinnedLinks) fresh(a attachment, p *ebpf.Program) error {
	return netns.Do(l.host, func() error {
		made, err := attachTCX(a, p)
		if err != nil {
			return err
		}
		return errors.Join(made.Pin(l.pin(a)), made.Close())
	})
}

// A link that nothing holds any more is detached by the kernel in the background
// (kernel/bpf/syscall.c, bpf_link_put): until then the device runs the program, takes it no
// second time, and has nothing that could be taken over.
const (
	detachedWithin = 5 * time.Second
	lookAgainAfter = time.Millisecond
)

// attachTCX makes a link, or takes over one of the same program: whoever had it was killed
// before it was pinned, or its pin was deleted.
func attachTCX(a attachment, p *ebpf.Program) (link.Link, error) {
	o := link.TCXOptions{Interface: int(a.index), Program: p, Attach: ebpf.AttachTCXIngress}
	if a.role.isFirst() {
		o.Anchor = link.Head()
	}
	look := time.NewTicker(lookAgainAfter)
	defer look.Stop()
	for end := time.Now().Add(detachedWithin); ; <-look.C {
		made, err := link.AttachTCX(o)
		if !errors.Is(err, unix.EEXIST) {
			return made, err
		}
		there, e := linkOf(a.index, p)
		if there != nil || e != nil && !errors.Is(e, os.ErrNotExist) || time.Now().After(end) {
			return there, errors.Join(e, unless(there != nil, err))
		}
	}
}

func unless(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}

// linkOf is the link by which a device runs a program; os.ErrNotExist: it is on its way
// out.
func linkOf(index uint32, p *ebpf.Program) (link.Link, error) {
	info, err := p.Info()
	if err != nil {
		return nil, err
	}
	want, _ := info.ID()
	found, err := link.QueryPrograms(link.QueryOptions{Target: int(index), Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return nil, err
	}
	for _, f := range found.Programs {
		if id, ok := f.LinkID(); ok && f.ID == want {
			return link.NewFromID(id)
		}
	}
	return nil, os.ErrNotExist
}

func (l pinnedLinks) detach(a attachment) error {
	err := os.Remove(l.pin(a)) // the last reference
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (l pinnedLinks) all() (map[attachment]ebpf.ProgramID, error) {
	files, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	found := map[attachment]ebpf.ProgramID{}
	for _, file := range files {
		number, name, _ := strings.Cut(file.Name(), "-")
		index, err := strconv.ParseUint(number, 10, 32)
		if err != nil || !isRole(name) {
			continue // not Weft's
		}
		a := attachment{uint32(index), role(name)}
		if found[a], err = l.runs(a); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// runs is the program that an attachment's link has its device run; 0: none, for it is
// gone, or was detached.
func (l pinnedLinks) runs(a attachment) (ebpf.ProgramID, error) {
	pinned, err := link.LoadPinnedLink(l.pin(a), nil)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", l.pin(a), err)
	}
	defer pinned.Close()
	info, err := pinned.Info()
	if err != nil {
		return 0, err
	}
	if t := info.TCX(); t == nil || t.Ifindex != a.index {
		return 0, nil
	}
	return info.Program, nil
}
