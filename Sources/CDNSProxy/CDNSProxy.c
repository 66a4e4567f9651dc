#define _GNU_SOURCE
#include "CDNSProxy.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lateen_datagram_batch {
    int count, received;
    uint32_t query_room, answer_room;
    struct mmsghdr *in, *out;
    struct iovec *in_parts, *out_parts;
    struct sockaddr_storage *peers;
    uint32_t *answer_lengths;
    uint8_t *queries, *answers;
};

lateen_datagram_batch *lateen_datagram_batch_new(int count, uint32_t query_room, uint32_t answer_room) {
    lateen_datagram_batch *batch = calloc(1, sizeof *batch);
    if (!batch) return NULL;
    batch->count = count;
    batch->query_room = query_room;
    batch->answer_room = answer_room;
    batch->in = calloc(count, sizeof *batch->in);
    batch->out = calloc(count, sizeof *batch->out);
    batch->in_parts = calloc(count, sizeof *batch->in_parts);
    batch->out_parts = calloc(count, sizeof *batch->out_parts);
    batch->peers = calloc(count, sizeof *batch->peers);
    batch->answer_lengths = calloc(count, sizeof *batch->answer_lengths);
    batch->queries = malloc((size_t)count * query_room);
    batch->answers = malloc((size_t)count * answer_room);
    if (!batch->in || !batch->out || !batch->in_parts || !batch->out_parts || !batch->peers || !batch->answer_lengths ||
        !batch->queries || !batch->answers) {
        lateen_datagram_batch_free(batch);
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        batch->in_parts[i].iov_base = batch->queries + (size_t)i * query_room;
        batch->in_parts[i].iov_len = query_room;
        batch->in[i].msg_hdr.msg_iov = &batch->in_parts[i];
        batch->in[i].msg_hdr.msg_iovlen = 1;
        batch->in[i].msg_hdr.msg_name = &batch->peers[i];
        batch->in[i].msg_hdr.msg_namelen = sizeof(struct sockaddr_storage);
        batch->out[i].msg_hdr.msg_iov = &batch->out_parts[i];
        batch->out[i].msg_hdr.msg_iovlen = 1;
    }
    return batch;
}

void lateen_datagram_batch_free(lateen_datagram_batch *batch) {
    free(batch->in);
    free(batch->out);
    free(batch->in_parts);
    free(batch->out_parts);
    free(batch->peers);
    free(batch->answer_lengths);
    free(batch->queries);
    free(batch->answers);
    free(batch);
}

int lateen_datagrams_receive(lateen_datagram_batch *batch, int socket) {
    for (int i = 0; i < batch->received; i++) {
        batch->in[i].msg_hdr.msg_namelen = sizeof(struct sockaddr_storage);
        batch->answer_lengths[i] = 0;
    }
    batch->received = 0;
    int count = recvmmsg(socket, batch->in, batch->count, MSG_WAITFORONE, NULL);
    if (count < 0) return -errno;
    batch->received = count;
    return count;
}

void lateen_datagrams_send(lateen_datagram_batch *batch, int socket) {
    int count = 0;
    for (int i = 0; i < batch->received; i++) {
        if (!batch->answer_lengths[i]) continue;
        batch->out_parts[count].iov_base = batch->answers + (size_t)i * batch->answer_room;
        batch->out_parts[count].iov_len = batch->answer_lengths[i];
        batch->out[count].msg_hdr.msg_name = &batch->peers[i];
        batch->out[count].msg_hdr.msg_namelen = batch->in[i].msg_hdr.msg_namelen;
        count++;
    }
    if (count == 1) {
        // What a server that is not busy does most: for a single answer this call costs less.
        struct msghdr *only = &batch->out[0].msg_hdr;
        while (sendto(socket, only->msg_iov->iov_base, only->msg_iov->iov_len, 0, only->msg_name, only->msg_namelen) < 0 &&
               errno == EINTR) continue;
        return;
    }
    for (int sent = 0; sent < count;) {
        int more = sendmmsg(socket, batch->out + sent, count - sent, 0);
        if (more > 0) {
            sent += more;
        } else if (errno != EINTR) {
            // The first one cannot be sent: its client is out of reach. The others may not be.
            sent++;
        }
    }
}

const uint8_t *lateen_datagram_query(const lateen_datagram_batch *batch, int index) {
    return batch->queries + (size_t)index * batch->query_room;
}

uint32_t lateen_datagram_query_length(const lateen_datagram_batch *batch, int index) { return batch->in[index].msg_len; }

int lateen_datagram_is_cut(const lateen_datagram_batch *batch, int index) {
    return (batch->in[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
}

const struct sockaddr_storage *lateen_datagram_peer(const lateen_datagram_batch *batch, int index) {
    return &batch->peers[index];
}

int lateen_address_parts(const struct sockaddr_storage *address, uint8_t *bytes, uint16_t *port) {
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *place = (const struct sockaddr_in *)address;
        memcpy(bytes, &place->sin_addr, 4);
        *port = ntohs(place->sin_port);
        return 4;
    }
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *place = (const struct sockaddr_in6 *)address;
        memcpy(bytes, &place->sin6_addr, 16);
        *port = ntohs(place->sin6_port);
        return 16;
    }
    return 0;
}

uint8_t *lateen_datagram_answer(lateen_datagram_batch *batch, int index) {
    return batch->answers + (size_t)index * batch->answer_room;
}

void lateen_datagram_set_answer_length(lateen_datagram_batch *batch, int index, uint32_t length) {
    batch->answer_lengths[index] = length;
}

int lateen_datagram_send(int socket, const void *bytes, uint32_t count, const struct sockaddr_storage *peer) {
    socklen_t length = peer->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    while (sendto(socket, bytes, count, MSG_DONTWAIT, (const struct sockaddr *)peer, length) < 0) {
        if (errno != EINTR) return errno;
    }
    return 0;
}

int lateen_datagram_open(const struct sockaddr *address, socklen_t length, int receive_bytes) {
    int opened = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (opened < 0) return -errno;
    int on = 1;
    if (address->sa_family == AF_INET6) setsockopt(opened, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    // Beyond the system's limit for those who may; else as much as there is.
    if (setsockopt(opened, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof receive_bytes) < 0)
        setsockopt(opened, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    if (bind(opened, address, length) < 0) {
        int error = errno;
        close(opened);
        return -error;
    }
    return opened;
}

void lateen_give_memory_back(void) { malloc_trim(0); }
