package ebpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// taggedFilters attaches by cls_bpf: a filter on a device's clsact qdisc for each attachment,
// which is known by its name. A device has one of Weft's in each role at most, and any number of others'.
type taggedFilters struct {
	// qdiscs is a folder that has one for each device whose qdisc was missing before, named
	// by its index: it is removed again when nobody has a filter on it.
	qdiscs string
	// host is the path of the namespace that the devices are in.
	host string
}

const (
	// filterTag begins the names of Weft's filters; the role follows.
	filterTag = "weft:"
	// filterHandle and filterPriority are where they stand: a priority has filters of one kind.
	filterHandle   = 0x77656674
	filterPriority = 7
)

// priorityOf is where a filter stands: each has a priority to itself.
func priorityOf(r role) uint16 {
	if r.isFirst() {
		return filterPriority - 1
	}
	return filterPriority
}

// attach replaces the filter in its place (net/sched/cls_bpf.c, cls_bpf_change).
func (f taggedFilters) attach(a attachment, p *ebpf.Program) error {
	return netns.Do(f.host, func() error {
		if err := f.addQdisc(a.index); err != nil {
			return fmt.Errorf("add qdisc: %w", err)
		}
		filter := filterOf(a)
		filter.Fd = p.FD()
		return netlink.FilterReplace(filter)
	})
}

func (f taggedFilters) detach(a attachment) error {
	return netns.Do(f.host, func() error {
		found, err := filtersOf(a.index)
		if err != nil {
			return err
		}
		if _, ok := found[a]; !ok {
			return nil
		}
		if err := netlink.FilterDel(filterOf(a)); err != nil && !isAbsent(err) {
			return err
		}
		return nil
	})
}

// sweep removes the qdiscs that were added, but from devices that are to keep them. That is
// not for detach: a device that gets a qdisc, or loses it, stops sending for a moment
// (net/sched/sch_api.c, qdisc_graft), which is not to happen while it runs programs.
func (f taggedFilters) sweep(keep func(index uint32) bool) error {
	added, err := os.ReadDir(f.qdiscs)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var errs []error
	for _, dir := range added {
		index, err := strconv.ParseUint(dir.Name(), 10, 32)
		if err != nil || keep(uint32(index)) {
			continue
		}
		errs = append(errs, netns.Do(f.host, func() error { return f.removeQdisc(uint32(index)) }))
	}
	return errors.Join(errs...)
}

func filterOf(a attachment) *netlink.BpfFilter {
	return &netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: int(a.index), Parent: netlink.HANDLE_MIN_INGRESS,
			Handle: filterHandle, Priority: priorityOf(a.role), Protocol: unix.ETH_P_ALL,
		},
		Name: filterTag + string(a.role), DirectAction: true,
	}
}

func (f taggedFilters) all() (map[attachment]ebpf.ProgramID, error) {
	all := map[attachment]ebpf.ProgramID{}
	err := netns.Do(f.host, func() error {
		devices, err := net.Interfaces()
		if err != nil {
			return err
		}
		for _, d := range devices {
			found, err := filtersOf(uint32(d.Index))
			if err != nil {
				return err
			}
			for a, id := range found {
				all[a] = id
			}
		}
		return nil
	})
	return all, err
}

// filtersOf are Weft's filters on a device in the calling thread's namespace, with the
// program that each runs. Other kinds of filters are not looked into.
func filtersOf(index uint32) (map[attachment]ebpf.ProgramID, error) {
	found := map[attachment]ebpf.ProgramID{}
	messages, err := dumpFilters(index, netlink.HANDLE_MIN_INGRESS)
	for _, m := range messages {
		f, e := parseFilter(m)
		err = errors.Join(err, e)
		name, ours := strings.CutPrefix(f.name, filterTag)
		if ours && f.handle == filterHandle && isRole(name) {
			found[attachment{index, role(name)}] = f.program
		}
	}
	return found, err
}

// maxDumps are the tries to read filters while somebody changes them.
const maxDumps = 20

// dumpFilters asks for the filters of a device's qdisc; a device that is not there has none.
func dumpFilters(index, parent uint32) (messages [][]byte, err error) {
	for range maxDumps {
		request := nl.NewNetlinkRequest(unix.RTM_GETTFILTER, unix.NLM_F_DUMP)
		request.AddData(&nl.TcMsg{Family: nl.FAMILY_ALL, Ifindex: int32(index), Parent: parent})
		messages, err = request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWTFILTER)
		if !errors.Is(err, nl.ErrDumpInterrupted) {
			break
		}
	}
	if isAbsent(err) {
		return nil, nil
	}
	return messages, err
}

// filter is what is read of one; of such that are not cls_bpf's only the handle.
type filter struct {
	handle  uint32
	name    string
	program ebpf.ProgramID
}

func parseFilter(message []byte) (f filter, err error) {
	header := nl.DeserializeTcMsg(message)
	attributes, err := nl.ParseRouteAttrAsMap(message[header.Len():])
	if err != nil {
		return f, err
	}
	f.handle = header.Handle
	if text(attributes[nl.TCA_KIND].Value) != "bpf" {
		return f, nil
	}
	options, err := nl.ParseRouteAttrAsMap(attributes[nl.TCA_OPTIONS].Value)
	if err != nil {
		return f, err
	}
	f.name = text(options[nl.TCA_BPF_NAME].Value)
	if id := options[nl.TCA_BPF_ID].Value; len(id) == 4 {
		f.program = ebpf.ProgramID(binary.NativeEndian.Uint32(id))
	}
	return f, nil
}

// text is an attribute's that ends with a zero.
func text(b []byte) string { return strings.TrimRight(string(b), "\x00") }

// isAbsent: there is no such device, qdisc or filter.
func isAbsent(err error) bool {
	return errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL)
}

func (f taggedFilters) added(index uint32) string {
	return filepath.Join(f.qdiscs, strconv.FormatUint(uint64(index), 10))
}

// addQdisc sees to it that a device has a clsact qdisc. That it is Weft's is noted before.
func (f taggedFilters) addQdisc(index uint32) error {
	noted := os.Mkdir(f.added(index), 0o700)
	if noted != nil && !errors.Is(noted, os.ErrExist) {
		return noted
	}
	err := netlink.QdiscAdd(clsactOf(index))
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	if noted == nil { // it is somebody else's
		return os.Remove(f.added(index))
	}
	return nil
}

// removeQdisc removes one that was added, unless somebody else has a filter on it: it is
// his from then on.
func (f taggedFilters) removeQdisc(index uint32) error {
	used := false
	for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
		filters, err := dumpFilters(index, parent)
		if err != nil {
			return err
		}
		used = used || len(filters) > 0
	}
	if !used {
		if err := netlink.QdiscDel(clsactOf(index)); err != nil && !isAbsent(err) {
			return fmt.Errorf("delete qdisc: %w", err)
		}
	}
	return os.Remove(f.added(index))
}

func clsactOf(index uint32) *netlink.Clsact {
	return &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: int(index), Parent: netlink.HANDLE_CLSACT, Handle: netlink.MakeHandle(0xffff, 0),
	}}
}
