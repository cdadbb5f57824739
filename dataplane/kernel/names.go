package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"weft/overlay"
)

// names watches the folder in which the networks' namespaces are mounted: a name
// that is taken away is nothing that netlink tells.
type names struct{ file *os.File }

func openNames(dir string) (*names, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("open inotify", err)
	}
	n := &names{os.NewFile(uintptr(fd), "inotify")}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_DELETE|unix.IN_MOVED_FROM); err != nil {
		return nil, errors.Join(fmt.Errorf("watch %s: %w", dir, err), n.file.Close())
	}
	return n, nil
}

// run calls gone with each network whose namespace lost its name, until it is closed.
func (n *names) run(gone func(overlay.NetworkName)) {
	buf := make([]byte, 64<<10)
	for {
		size, err := n.file.Read(buf)
		if err != nil {
			return
		}
		for b := buf[:size]; len(b) >= unix.SizeofInotifyEvent; {
			end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
			if end > len(b) {
				break
			}
			name := string(bytes.TrimRight(b[unix.SizeofInotifyEvent:end], "\x00"))
			if network, ours := strings.CutPrefix(name, domainPrefix); ours {
				gone(overlay.NetworkName(network))
			}
			b = b[end:]
		}
	}
}
