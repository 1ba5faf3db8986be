#ifndef SQ_RANK_MESSAGES_H
#define SQ_RANK_MESSAGES_H

#include "supernet/ranks/ranks.h"

/* Point-to-point messages between ranks, for work that is not collective: one rank distributes tasks, and each other
 * rank sends the results of its tasks. Messages of one sender arrive in the order in which they were sent. If MPI
 * fails, the functions return SQ_COMMUNICATION, as in ranks.h. */

typedef struct sq_messages sq_messages;

typedef struct {
    int from;
    char *bytes; /* `count` bytes, then a zero byte; the receiver frees them */
    size_t count;
} sq_message;

/* `ranks` must outlive *out. Only one sq_messages may be open at a time. */
SQ_MUST_USE sq_status sq_messages_open(sq_messages **out, sq_ranks *ranks);
/* Drops messages that were not received. Accepts NULL. */
void sq_messages_close(sq_messages *messages);

/* Copies `count` bytes, at most 2^30, and sends them in the background. */
SQ_MUST_USE sq_status sq_messages_send(sq_messages *messages, int to, const void *bytes, size_t count);
/* Receives the next message of any rank. If no message has arrived, out->bytes is NULL. The call waits only for the
 * rest of a message that is already arriving. */
SQ_MUST_USE sq_status sq_messages_poll(sq_messages *messages, sq_message *out);
/* Waits for a message of rank `from`. patience: seconds that the rank may need for its work. SQ_COMMUNICATION: the rank
 * has exited, or has sent nothing for the time limit of `ranks` plus `patience` seconds. */
SQ_MUST_USE sq_status sq_messages_wait(sq_messages *messages, int from, double patience, sq_message *out);

#endif
