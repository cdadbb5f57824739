/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The ends of a packet's way through a program. */
#pragma once

#include "count.h"
#include "drop.h"
#include "parse.h"

/* PASS leaves a packet to whoever comes next, and to the host at last. */
#define PASS TC_ACT_UNSPEC

/* Marks of Weft's own on packets within the host's namespace; the kernel clears
 * them from what comes out of another one. */
#define MARK_WRAPPED 0x77656674 /* it is a tunnel packet that only lacks a route */
#define MARK_MEMBER 0x77656d62	/* it came from a member of its network */

/* deliver sends a frame out of a port, whole and as it is. A frame that is not IP
 * goes the long way, on which the kernel looks at its type again. */
static __always_inline int deliver(struct __sk_buff *skb, const struct frame *f, __u32 port, __u32 flags, __u32 counter)
{
	count_to(counter, skb->len);
	skb->mark = 0;
	if (flags & PORT_PEER && f->is_ip)
		return bpf_redirect_peer(port, 0);
	return bpf_redirect(port, 0);
}

/* call hands a frame to the network's own host that is for more than it: it has to see
 * so. */
static __always_inline int call(struct __sk_buff *skb, const struct network *n)
{
	count_to(n->gateway_counter, skb->len);
	skb->mark = 0;
	return bpf_redirect(n->gateway, 0);
}

/* give hands a frame to the network's own host. */
static __always_inline int give(struct __sk_buff *skb, const struct frame *f, const struct network *n)
{
	return deliver(skb, f, n->gateway, n->gateway_flags, n->gateway_counter);
}
