package daemon

import (
	"fmt"
	"net"
	"os"
)

// ready tells the service manager that weftd answers, so that what is ordered
// after it finds it (sd_notify(3): one datagram to the socket that the manager
// names). Without a manager it does nothing.
func ready() error {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return nil
	}
	// net takes a leading @ for the abstract namespace, as systemd does.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("READY=1")); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}
