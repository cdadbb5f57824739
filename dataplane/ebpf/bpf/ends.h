/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Near ends of tunnels to peers that Weft does not manage. Each is a veth: one end is the
 * interface that the host has, or a port of a bridged network, or in a routed network's own
 * host; on the other, which is nobody's, a program wraps what is sent and hands in what has
 * come. */
#pragma once

#include "maps.h"

/* Whom a dropped packet, or a port, belongs to is a VNI, or this and the interface index of
 * an end that stands alone. */
#define OWNER_END 0x80000000

/* What is in a tunnel's packets. */
enum content {
	CONTENT_FRAMES,
	CONTENT_IP, /* of both versions */
	CONTENT_V4,
	CONTENT_V6,
};

enum end_flags {
	END_DF = 1 << 0,	   /* outer IPv4 packets are not to be cut */
	END_TTL_INHERIT = 1 << 1,
	END_TOS_FIXED = 1 << 2,
	END_OUT_KEY = 1 << 3,
	END_IN_CHECKSUM = 1 << 4,  /* GRE's */
	END_OUT_CHECKSUM = 1 << 5,
	END_IN_SEQUENCE = 1 << 6,
	END_OUT_SEQUENCE = 1 << 7,
	END_UDP_CHECKSUM = 1 << 8,
	END_UNDERLAY = 1 << 9,	   /* packets leave by as.underlay and no other device */
};

/* Packets of these are made one by one, without the kernel's help: nothing may put several
 * together, and nobody else may have to fill in a checksum. */
#define END_SLOW (END_OUT_CHECKSUM | END_OUT_SEQUENCE | END_UDP_CHECKSUM)

/* An end, by the interface index of the device with the program. What it has in common with
 * a network is as that has it: a tunnel that carries no frames is as one of a routed network. */
struct end {
	struct network as;
	struct address remote;
	__u32 flags;
	__u32 content;
	__u32 device;  /* interface index of the other end of the veth; 0: it is in another namespace */
	__u32 out_key; /* or the VNI */
	__u32 counter;
	__u32 owner; /* OWNER_END and the interface index, or the VNI of the network that it is attached to */
	__u16 first_port, last_port; /* the outer source port is one of them */
	__u8 ttl, tos;
	__u8 pad[2];
};

/* Which end a packet is for. */
struct arrival_key {
	struct address local, remote;
	__u32 key; /* or the VNI */
	__be16 udp_port;
	__u8 encapsulation, content;
	__u8 keyed;
	__u8 pad[3];
};

/* GRE's sequence numbers (RFC 2890 section 2.2): the next of each way. They are the
 * programs' own. */
struct sequence {
	__u32 out, in;
};

MAP(ends, HASH, __u32, struct end, 4096, BPF_F_NO_PREALLOC);
MAP(arrivals, HASH, struct arrival_key, __u32, 4096, BPF_F_NO_PREALLOC); /* the end's interface index */
MAP(sequences, HASH, __u32, struct sequence, 4096, BPF_F_NO_PREALLOC);   /* by the end's, too */

static __always_inline struct end *find_end(__u32 index)
{
	return bpf_map_lookup_elem(&ends, &index);
}

static __always_inline struct sequence *find_sequence(__u32 index)
{
	const struct sequence first = {};
	struct sequence *q = bpf_map_lookup_elem(&sequences, &index);

	if (q)
		return q;
	bpf_map_update_elem(&sequences, &index, &first, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sequences, &index);
}
