#ifndef SQ_MESSAGES_H
#define SQ_MESSAGES_H

#include "supernet/ranks/ranks.h"

/* Letters from rank to rank, for what is not collective: one deals out work, the others answer in their own time. They
 * come in the order in which their sender sent them. SQ_COMMUNICATION, as in ranks.h, when MPI itself fails. */

typedef struct sq_messages sq_messages;

typedef struct {
    int from;
    char *bytes; /* the receiver frees them; a zero byte stands behind */
    size_t count;
} sq_message;

/* The ranks must outlive the mail; one mail at a time. */
SQ_MUST_USE sq_status sq_messages_open(sq_messages **out, sq_ranks *ranks);
/* Forgets letters that nobody took. Accepts NULL. */
void sq_messages_close(sq_messages *messages);

/* Copies the bytes and sends them in the background. At most 2^30 of them. */
SQ_MUST_USE sq_status sq_messages_send(sq_messages *messages, int to, const void *bytes, size_t count);
/* The next letter of anyone, if one is here; else out->bytes is NULL. Does not wait, but for the rest of a letter whose
 * beginning is here. */
SQ_MUST_USE sq_status sq_messages_poll(sq_messages *messages, sq_message *out);
/* Waits for a letter of `from`. SQ_COMMUNICATION: that rank is gone, or silent for the ranks' time limit and `patience`
 * seconds more, which it may be at work. */
SQ_MUST_USE sq_status sq_messages_wait(sq_messages *messages, int from, double patience, sq_message *out);

#endif
