/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Traffic, by port and by other node. What a packet looks up anyway names a counter, which
 * is this CPU's own: an element of an array, which costs no search. What several ports or
 * nodes have sent together user space adds up. */
#pragma once

#include "maps.h"

/* count_from is about what came from a port or a VTEP, whatever becomes of it. */
static __always_inline void count_from(__u32 which, __u32 bytes)
{
	struct counter *c = bpf_map_lookup_elem(&counters, &which);

	if (c) {
		c->from.packets++;
		c->from.bytes += bytes;
	}
}

/* count_to is about what is sent to a port or a VTEP. */
static __always_inline void count_to(__u32 which, __u32 bytes)
{
	struct counter *c = bpf_map_lookup_elem(&counters, &which);

	if (c) {
		c->to.packets++;
		c->to.bytes += bytes;
	}
}
