/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Storm control: how much broadcast and multicast a port may send to other nodes. The
 * figures are those of dataplane/storm.go, which says why. */
#pragma once

#include "maps.h"

#define STORM_RATE 1000
#define STORM_BURST 1000
#define STORM_EVERY (1000000000ull / STORM_RATE)

/* may_flood takes a token from a port's bucket, which is kept as the time at which it is
 * full again. All CPUs share it. Two that come for the last token at once may both get one;
 * it is owed then, as both have added to the time. */
static __always_inline int may_flood(__u32 port)
{
	const __u64 now = bpf_ktime_get_coarse_ns();
	__u64 *full = bpf_map_lookup_elem(&storms, &port);
	__u64 was;

	if (!full) {
		bpf_map_update_elem(&storms, &port, &now, BPF_NOEXIST);
		full = bpf_map_lookup_elem(&storms, &port);
		if (!full)
			return 1; /* there was no memory: the next one is counted */
	}
	was = *full;
	if (was < now) {
		__sync_val_compare_and_swap(full, was, now); /* another CPU may have done so, and taken from it */
		was = now;
	}
	if (was - now > (STORM_BURST - 1) * STORM_EVERY)
		return 0;
	__sync_fetch_and_add(full, STORM_EVERY);
	return 1;
}
