package kernel

// addPublished adds an entry to the FDB of a bridge as if the bridge had learnt it,
// unless there is one. It ages, and moves with the station.
type addPublished struct {
	StationKey
	Port string
}

// String begins with what makes the port forward, see do.
func (o addPublished) String() string {
	ns := o.Bridge.NS
	return ns.command("ip", "link", "show", o.Port) + " >/dev/null && " +
		ns.command("bridge", "fdb", "add", o.MAC.String(), "dev", o.Port, "master", "dynamic")
}
