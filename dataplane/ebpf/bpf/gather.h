/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Tunnel packets that were cut on their way. Those over UDP the kernel puts together for its own
 * sockets; those of the other encapsulations nobody has a device for, and programs come
 * before it does. So they are put together here, as long as their pieces come in order and
 * to one CPU, as those of one packet mostly do. */
#pragma once

#include "encap.h"

#define IP6_OFFSET 0xfff8
#define IP6_MORE 1

/* So many bytes may have come when the last piece does, and so many may that have. */
#define PIECES_BYTES 4096
#define PIECES_PATIENCE 1000000000ull /* ns; that of the kernel is 30 s (RFC 8200 section 4.5: 60) */
#define PIECES_SLOTS 16

/* pieces are the beginning of a packet. */
struct pieces {
	struct address src, dst;
	__u64 since; /* in ns since boot */
	__u32 owner; /* a network, or an end */
	__be32 id;
	__u16 len; /* so many bytes of payload have come; 0: it is no packet's */
	__u8 protocol, congested;
	__u8 pad[4];
	__u8 byte[2 * PIECES_BYTES];
};

MAP(gathered, PERCPU_ARRAY, __u32, struct pieces, PIECES_SLOTS, 0);

/* fragment is what one says of itself. */
struct fragment {
	__be32 id;
	__u32 at;      /* where it belongs, in bytes of payload */
	__u32 payload; /* where its own begins, from the IP header on */
	__u8 more, protocol;
};

/* RFC 8200 section 4.5. */
struct fragment_header {
	__u8 next, reserved;
	__be16 field;
	__be32 id;
};

static __always_inline int read_fragment(struct __sk_buff *skb, const struct packet *p, struct fragment *f)
{
	struct fragment_header v6;
	struct iphdr v4;

	if (p->version == 4) {
		if (load(skb, ETH_HLEN, &v4, sizeof(v4)))
			return 0;
		f->id = v4.id;
		f->at = (bpf_ntohs(v4.frag_off) & IP_OFFSET) * 8;
		f->more = !!(v4.frag_off & bpf_htons(IP_MORE));
		f->protocol = v4.protocol;
		f->payload = sizeof(v4);
		return 1;
	}
	if (load(skb, ETH_HLEN + sizeof(struct ipv6hdr), &v6, sizeof(v6)))
		return 0;
	f->id = v6.id;
	f->at = bpf_ntohs(v6.field) & IP6_OFFSET;
	f->more = !!(v6.field & bpf_htons(IP6_MORE));
	f->protocol = v6.next;
	f->payload = sizeof(struct ipv6hdr) + sizeof(v6);
	return 1;
}

static __always_inline struct pieces *find_pieces(const struct packet *p, const struct fragment *f)
{
	__u32 slot = mix(p->src.word[3], f->id) % PIECES_SLOTS;

	return bpf_map_lookup_elem(&gathered, &slot);
}

/* add is false if there is no room. */
static __always_inline int add(struct __sk_buff *skb, const struct packet *p, const struct fragment *f, struct pieces *g)
{
	__u32 last = p->len - f->payload - 1, at = g->len;

	barrier_var(last); /* as in show */
	barrier_var(at);
	if (p->len <= f->payload || last >= PIECES_BYTES || at > PIECES_BYTES ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + f->payload, g->byte + at, last + 1))
		return 0;
	g->len = at + last + 1;
	g->congested |= (p->tos & ECN) == ECN_CE;
	return 1;
}

/* begin keeps the first fragment of an owner's packet. It is why it cannot, or 0. */
static __always_inline int begin(struct __sk_buff *skb, const struct packet *p, __u32 owner)
{
	struct fragment f = {};
	struct pieces *g = read_fragment(skb, p, &f) ? find_pieces(p, &f) : 0;

	if (!g)
		return DROP_FRAGMENT;
	if (g->len)
		note(skb, g->owner, DROP_FRAGMENT); /* of that the rest has not come */
	g->src = p->src;
	g->dst = p->dst;
	g->since = bpf_ktime_get_coarse_ns();
	g->owner = owner;
	g->id = f.id;
	g->protocol = f.protocol;
	g->len = g->congested = 0;
	return add(skb, p, &f, g) ? 0 : DROP_FRAGMENT;
}

/* rebuild makes the last fragment the packet. */
static __always_inline int rebuild(struct __sk_buff *skb, const struct packet *p, const struct pieces *g)
{
	const __u32 header = p->version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	__u32 last = g->len - 1;
	struct ipv6hdr v6;
	struct iphdr v4;

	barrier_var(last);
	if (last >= sizeof(g->byte) || bpf_skb_change_tail(skb, ETH_HLEN + header + last + 1, 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + header, g->byte, last + 1, 0))
		return 0;
	if (p->version == 4) {
		if (load(skb, ETH_HLEN, &v4, sizeof(v4)))
			return 0;
		v4.tot_len = bpf_htons(header + last + 1);
		v4.frag_off = v4.check = 0;
		if (g->congested)
			v4.tos |= ECN_CE;
		v4.check = fold(bpf_csum_diff(0, 0, (__be32 *)&v4, sizeof(v4), 0));
		return !store(skb, ETH_HLEN, &v4, sizeof(v4));
	}
	if (load(skb, ETH_HLEN, &v6, sizeof(v6)))
		return 0;
	v6.payload_len = bpf_htons(last + 1);
	v6.nexthdr = g->protocol;
	if (g->congested)
		v6.flow_lbl[0] |= ECN_CE << 4;
	return !store(skb, ETH_HLEN, &v6, sizeof(v6));
}

enum gathering {
	NO_PIECE, /* of nothing that was begun */
	HELD,	  /* with those before it */
	WHOLE,	  /* it was the last, and is the packet now */
};

/* complete adds a fragment that is not the first to those before it. */
static __always_inline enum gathering complete(struct __sk_buff *skb, const struct packet *p)
{
	struct fragment f = {};
	struct pieces *g = read_fragment(skb, p, &f) && f.at ? find_pieces(p, &f) : 0;
	int whole;

	if (!g || !g->len || g->len != f.at || g->id != f.id || g->protocol != f.protocol ||
	    !same_address(&g->src, &p->src) || !same_address(&g->dst, &p->dst) ||
	    bpf_ktime_get_coarse_ns() - g->since > PIECES_PATIENCE || !add(skb, p, &f, g))
		return NO_PIECE;
	if (f.more)
		return HELD;
	whole = rebuild(skb, p, g);
	g->len = 0;
	return whole ? WHOLE : NO_PIECE;
}
