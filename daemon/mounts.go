package daemon

import (
	"log/slog"
	"os"
)

// initMounts is the mount namespace of the host's first process: the one that
// everybody sees who has none of their own. Only root may look.
const initMounts = "/proc/1/ns/mnt"

// warnOfMounts says what becomes of an agent's networks in a mount namespace of
// its own: their names are mounts, nobody else sees them, and the kernel drops
// them, and so the namespaces, with the last process there (mount_namespaces(7)).
func warnOfMounts(log *slog.Logger, host string) {
	if ownMounts(host) {
		log.Warn("this agent runs in a mount namespace of its own, as of ip netns exec: networks vanish when it ends, and their traffic stops; " +
			"start it with nsenter --net=/run/netns/NAME weftd instead (docs/running.md, several daemons on one machine)")
	}
}

// ownMounts reports whether the calling thread's mount namespace is known to be
// another one than the host's.
func ownMounts(host string) bool {
	own, err := os.Readlink("/proc/thread-self/ns/mnt")
	if err != nil {
		return false
	}
	theirs, err := os.Readlink(host)
	return err == nil && own != theirs
}
