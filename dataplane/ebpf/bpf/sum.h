/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Checksums over what a packet has from somewhere to its end, piece by piece. */
#pragma once

#include "resolve.h"

#define PIECE 256 /* bytes; the helper has taken 512 at most (net/core/filter.c, MAX_BPF_STACK) */

struct piece {
	__u8 byte[PIECE];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct piece);
} pieces SEC(".maps");

struct summing {
	struct __sk_buff *skb;
	__u32 at, end;
	__s64 sum; /* negative: something was wrong */
};

/* add_piece adds the next one; it ends the loop with the last. */
static long add_piece(__u32 i, struct summing *c)
{
	__u32 zero = 0, len = c->end - c->at, last;
	struct piece *p = bpf_map_lookup_elem(&pieces, &zero);

	if (!p || c->at >= c->end || c->sum < 0)
		return 1;
	if (len >= PIECE) {
		len = PIECE;
		if (bpf_skb_load_bytes(c->skb, c->at, p->byte, PIECE))
			goto wrong;
	} else {
		__builtin_memset(p, 0, sizeof(*p));
		last = len - 1;
		barrier_var(last); /* for the verifier to see both bounds */
		if (last >= PIECE || bpf_skb_load_bytes(c->skb, c->at, p->byte, last + 1))
			goto wrong;
	}
	c->at += len;
	c->sum = bpf_csum_diff(0, 0, (__be32 *)p->byte, PIECE, c->sum);
	return c->at >= c->end;
wrong:
	c->sum = -1;
	return 1;
}

/* sum_from is the checksum of a packet from an offset on, added to one, or negative. */
static __noinline __s64 sum_from(struct __sk_buff *skb, __u32 at, __u32 sum)
{
	struct summing c = {.skb = skb, .at = at, .end = skb->len, .sum = sum};

	bpf_loop(0x10000 / PIECE + 1, add_piece, &c, 0);
	return c.at == c.end ? c.sum : -1;
}
