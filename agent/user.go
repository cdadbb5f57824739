package agent

import (
	"errors"

	"weft/dataplane/user"
)

// openForwarder is the user plane's forwarder, if the kernel has what it needs.
func openForwarder(o Options) (*user.Forwarder, error) {
	if len(o.Forward) == 0 {
		return nil, errors.New("this program is none that can run its forwarder")
	}
	if err := user.Probe(); err != nil {
		return nil, err
	}
	return user.Open(user.Options{Dir: o.RunDir, Command: o.Forward, Version: o.Version, Log: o.Log})
}
