#ifndef SQ_DOCTOR_H
#define SQ_DOCTOR_H

#include "tools/run/session.h"

/* What `squall doctor` finds out about each rank, and what of it looks wrong. Internal to tools/doctor*.c. */

enum { SQ_DOCTOR_TEXT = 256, SQ_DOCTOR_CORES = 1024, SQ_DOCTOR_MOST_WRONG = 64 };

/* Of one rank; ranks exchange it as bytes. */
typedef struct {
    char host[64], version[32];
    char device[SQ_DOCTOR_TEXT];          /* name of the backend, and what it says of itself */
    char problem[SQ_DOCTOR_TEXT];         /* why the device cannot be used for training here; or empty */
    char network[64];                     /* what Open MPI is told of TCP's interfaces; or empty */
    uint64_t build;                       /* of the program's file */
    int local;                            /* this rank's number among those of its host, as it uses it */
    int launched;                         /* ranks, by what the launcher's variables say; 0: they say nothing */
    int online;                           /* cores of the host */
    int threads;                          /* that the cpu backend would use */
    bool has_interface;                   /* another one than the loopback is up */
    uint64_t cores[SQ_DOCTOR_CORES / 64]; /* bit set: may be used */
    double clock;                         /* seconds since 1970, when all ranks had met */
    double shared_free, temporary_free, folder_free; /* bytes; -1: cannot be written to */
} sq_doctor_rank;

typedef struct {
    const sq_doctor_rank *ranks; /* [count] */
    int count;
    const char *folder; /* whose free space folder_free is */
} sq_doctor_facts;

typedef struct {
    char lines[SQ_DOCTOR_MOST_WRONG][2 * SQ_DOCTOR_TEXT]; /* "what: what to do" */
    int count;
} sq_doctor_wrong;

int sq_doctor_hosts(const sq_doctor_facts *facts);

/* Fills what one rank can say of itself; the session has no backend. */
void sq_doctor_look(sq_doctor_rank *out, const sq_session *session, const char *folder);

/* What looks wrong, each with what to do about it. */
void sq_doctor_judge(const sq_doctor_facts *facts, sq_doctor_wrong *out);

#endif
