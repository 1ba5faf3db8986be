#ifndef SQ_RANK_MESSAGES_H
#define SQ_RANK_MESSAGES_H

#include "supernet/ranks/ranks.h"

/* Point-to-point messages between ranks, for work that is not collective: one rank distributes tasks, the others answer
 * when they are done. Messages of one sender arrive in the order in which it sent them. SQ_COMMUNICATION, as in
 * ranks.h, when MPI fails. */

typedef struct sq_messages sq_messages;

typedef struct {
    int from;
    char *bytes; /* the receiver frees them; a zero byte follows them */
    size_t count;
} sq_message;

/* The ranks must outlive it; open at most one at a time. */
SQ_MUST_USE sq_status sq_messages_open(sq_messages **out, sq_ranks *ranks);
/* Drops messages that were not received. Accepts NULL. */
void sq_messages_close(sq_messages *messages);

/* Copies the bytes, at most 2^30, and sends them in the background. */
SQ_MUST_USE sq_status sq_messages_send(sq_messages *messages, int to, const void *bytes, size_t count);
/* Receives the next message of any rank; without one, out->bytes is NULL. Waits only for the rest of a message that is
 * arriving. */
SQ_MUST_USE sq_status sq_messages_poll(sq_messages *messages, sq_message *out);
/* Waits for a message of rank `from`. SQ_COMMUNICATION: that rank exited, or sent nothing for the ranks' time limit
 * plus `patience` seconds, which it may need for its work. */
SQ_MUST_USE sq_status sq_messages_wait(sq_messages *messages, int from, double patience, sq_message *out);

#endif
