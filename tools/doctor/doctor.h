#ifndef SQ_DOCTOR_H
#define SQ_DOCTOR_H

#include "tools/run/session.h"

/* `squall doctor` collects facts about each rank and finds the problems that follow from these facts. */

enum { SQ_DOCTOR_TEXT = 256, SQ_DOCTOR_CORES = 1024, SQ_DOCTOR_MOST_WRONG = 64 };

/* Facts about one rank. Ranks exchange the struct as bytes. */
typedef struct {
    char host[64], version[32];
    char device[SQ_DOCTOR_TEXT];          /* backend and its description: "cpu: avx512, ..." */
    char problem[SQ_DOCTOR_TEXT];         /* why the device cannot be used for training here; or empty */
    char network[64];                     /* the interfaces that Open MPI's settings include for TCP; or empty */
    uint64_t build;                       /* hash of the program's file */
    int local;                            /* number of this rank on its host, from 0; selects the GPU */
    int launched;                         /* number of ranks in the launcher's environment variables; 0: unknown */
    int online;                           /* number of cores of the host */
    int threads;                          /* number of threads that the cpu backend would use */
    bool has_interface;                   /* an interface other than the loopback is up */
    uint64_t cores[SQ_DOCTOR_CORES / 64]; /* one bit per core that this process may use */
    double clock;                         /* seconds since 1970, read after a barrier of all ranks */
    double shared_free, temporary_free, folder_free; /* free bytes in /dev/shm, $TMPDIR, folder; -1: not writable */
} sq_doctor_rank;

typedef struct {
    const sq_doctor_rank *ranks; /* [count] */
    int count;
    const char *folder; /* folder of the runs; folder_free is its free space */
} sq_doctor_facts;

typedef struct {
    char lines[SQ_DOCTOR_MOST_WRONG][2 * SQ_DOCTOR_TEXT]; /* "problem: remedy" */
    int count;
} sq_doctor_wrong;

int sq_doctor_hosts(const sq_doctor_facts *facts);

/* Fills the facts of this rank. The session does not require a backend. */
void sq_doctor_look(sq_doctor_rank *out, const sq_session *session, const char *folder);

/* Finds problems. Each line names the problem and its remedy. */
void sq_doctor_judge(const sq_doctor_facts *facts, sq_doctor_wrong *out);

#endif
