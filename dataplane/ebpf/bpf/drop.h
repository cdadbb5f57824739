/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Drops: all are counted by reason, and of some the beginning is shown to user space. */
#pragma once

#include <linux/pkt_cls.h>

#include "maps.h"

/* Of each reason a CPU shows so many packets a second, and at once as many as in one. */
#define SHOWN_PER_SECOND 100
#define SHOWN_EVERY (1000000000ull / SHOWN_PER_SECOND)

/* may_show is a token bucket, kept as the time at which it is full again. */
static __always_inline int may_show(struct budget *b)
{
	__u64 now = bpf_ktime_get_coarse_ns();

	if (b->full < now)
		b->full = now;
	if (b->full - now > (SHOWN_PER_SECOND - 1) * SHOWN_EVERY)
		return 0;
	b->full += SHOWN_EVERY;
	return 1;
}

/* show puts the beginning of a packet where user space reads it, if there is room. It is a
 * function of its own, as note is, so that the verifier looks at it once. */
__noinline int show(struct __sk_buff *skb, __u32 vni, __u32 why)
{
	struct budget *b = bpf_map_lookup_elem(&budgets, &why);
	__u32 len = skb->len, last;
	struct dropped *d;

	if (!b)
		return 0;
	d = may_show(b) ? bpf_ringbuf_reserve(&dropped_packets, sizeof(*d), 0) : 0;
	if (!d) {
		b->hidden++;
		return 0;
	}
	d->hidden = b->hidden;
	b->hidden = 0;
	d->at = bpf_ktime_get_ns();
	d->vni = vni;
	d->reason = why;
	d->device = skb->ifindex;
	d->len = len;
	d->tagged = skb->vlan_present;
	d->tpid = skb->vlan_proto;
	d->tci = skb->vlan_tci;
	last = (len < SHOWN_BYTES ? len : SHOWN_BYTES) - 1;
	barrier_var(last); /* for the verifier to see both bounds: Linux 6.1 learns nothing from "not 0" */
	d->shown = last < SHOWN_BYTES && !bpf_skb_load_bytes(skb, 0, d->start, last + 1) ? last + 1 : 0;
	bpf_ringbuf_submit(d, 0);
	return 0;
}

/* note counts a packet as dropped. */
__noinline int note(struct __sk_buff *skb, __u32 vni, __u32 why)
{
	struct drop_key key = {.vni = vni, .reason = why};
	struct tally first = {.packets = 1, .bytes = skb->len}, *t = bpf_map_lookup_elem(&drops, &key);

	if (t) { /* this CPU's own */
		t->packets++;
		t->bytes += first.bytes;
	} else {
		bpf_map_update_elem(&drops, &key, &first, BPF_NOEXIST);
	}
	show(skb, vni, why);
	return 0;
}

static __always_inline int drop(struct __sk_buff *skb, __u32 vni, enum drop_reason why)
{
	note(skb, vni, why);
	return TC_ACT_SHOT;
}
