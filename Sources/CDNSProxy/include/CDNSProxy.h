/// What the DNS server needs of the C library and Swift's view of it leaves out: many datagrams at once.
#ifndef C_DNS_PROXY_H
#define C_DNS_PROXY_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

/// Room for a number of queries and their answers, used over and over by one thread.
typedef struct lateen_datagram_batch lateen_datagram_batch;

/// - Parameters:
///   - count: how many datagrams at once.
///   - query_room: what is longer is cut.
///   - answer_room: the longest answer.
/// - Returns: NULL if there is no memory.
lateen_datagram_batch *_Nullable lateen_datagram_batch_new(int count, uint32_t query_room, uint32_t answer_room);
void lateen_datagram_batch_free(lateen_datagram_batch *_Nonnull batch);

/// Waits for a datagram and takes all that are there, as far as there is room.
///
/// - Returns: how many; a negative errno if it failed or was interrupted.
int lateen_datagrams_receive(lateen_datagram_batch *_Nonnull batch, int socket);

/// Sends the answers of those that have one; what cannot be sent is lost, as datagrams may be.
void lateen_datagrams_send(lateen_datagram_batch *_Nonnull batch, int socket);

/// The query number `index` and whether it was cut.
const uint8_t *_Nonnull lateen_datagram_query(const lateen_datagram_batch *_Nonnull batch, int index);
uint32_t lateen_datagram_query_length(const lateen_datagram_batch *_Nonnull batch, int index);
int lateen_datagram_is_cut(const lateen_datagram_batch *_Nonnull batch, int index);

/// Who sent it.
const struct sockaddr_storage *_Nonnull lateen_datagram_peer(const lateen_datagram_batch *_Nonnull batch, int index);

/// What an address of a socket says: the bytes of the IP address, most significant first, and the port.
///
/// - Returns: 4 or 16, the number of bytes; 0 for an address of another kind.
int lateen_address_parts(const struct sockaddr_storage *_Nonnull address, uint8_t *_Nonnull bytes, uint16_t *_Nonnull port);

/// Where its answer is written, and how long the answer is; 0: none.
uint8_t *_Nonnull lateen_datagram_answer(lateen_datagram_batch *_Nonnull batch, int index);
void lateen_datagram_set_answer_length(lateen_datagram_batch *_Nonnull batch, int index, uint32_t length);

/// Sends one answer. Returns 0 or an errno.
int lateen_datagram_send(
    int socket, const void *_Nonnull bytes, uint32_t count, const struct sockaddr_storage *_Nonnull peer);

/// Opens a datagram socket bound to an address, with room for a burst of datagrams.
///
/// - Returns: the socket, or a negative errno.
int lateen_datagram_open(const struct sockaddr *_Nonnull address, socklen_t length, int receive_bytes);

/// Gives free memory back to the system.
void lateen_give_memory_back(void);

#endif
