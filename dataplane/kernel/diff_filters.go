package kernel

import (
	"cmp"
	"maps"

	"weft/dataplane"
	"weft/dataplane/nft"
)

// filters sets the nft rules: when there are the links that some of them are on, and
// before these are up.
func (d *differ) filters() {
	spaces := maps.Clone(d.want.Filters)
	if have, ok := d.have.Filters[Host]; ok && len(have) > 0 && spaces[Host] == nil {
		spaces[Host] = nft.Ruleset{} // that of a domain goes with it
	}
	for _, ns := range dataplane.SortedKeys(spaces, cmp.Compare[NS]) {
		if commands := nft.Diff(spaces[ns], d.have.Filters[ns]); len(commands) > 0 {
			d.add(setFilters{ns, spaces[ns], commands})
		}
	}
}
