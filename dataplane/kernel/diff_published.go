package kernel

import "weft/dataplane"

// published has a port that joins a bridge bring along what is behind it: it was made,
// or the bridge was, which forgets what is behind a port that leaves
// (net/bridge/br_if.c, del_nbp). What is elsewhere, too, is there alone.
func (d *differ) published() {
	for _, k := range dataplane.SortedKeys(d.want.Published, compareStationKey) {
		port := d.want.Published[k]
		_, elsewhere := d.want.Stations[k]
		joins := d.have.Links[LinkID{k.Bridge.NS, port}].Master != k.Bridge.Name
		if joins && !elsewhere {
			d.add(addPublished{k, port})
		}
	}
}
