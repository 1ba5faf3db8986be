/* Tests which problems squall doctor finds in simulated clusters. */
#include <stdio.h>
#include <string.h>

#include "tests/support/support.h"
#include "tools/doctor/doctor.h"

enum { MOST = 8 };

static sq_doctor_rank ranks[MOST];
static sq_doctor_facts facts;
static sq_doctor_wrong wrong;

/* Makes a cluster without problems: `hosts` hosts with `each` ranks per host. Each rank has two separate cores and two
 * threads. */
static void make_cluster(int hosts, int each)
{
    memset(ranks, 0, sizeof ranks);
    for (int i = 0; i < hosts * each; i++) {
        sq_doctor_rank *r = &ranks[i];
        *r = (sq_doctor_rank){.local = i % each,
                              .launched = hosts * each,
                              .online = 2 * each,
                              .threads = 2,
                              .has_interface = true,
                              .build = 1,
                              .clock = 1000 + 1e-3 * i,
                              .shared_free = 1e9,
                              .temporary_free = 1e9,
                              .folder_free = 1e12};
        (void)snprintf(r->host, sizeof r->host, "node%d", i / each);
        (void)snprintf(r->version, sizeof r->version, "1.0");
        (void)snprintf(r->device, sizeof r->device, "cpu: some");
        r->cores[0] = UINT64_C(3) << (2 * (i % each));
    }
    facts = (sq_doctor_facts){ranks, hosts * each, "runs"};
}

static int judge(void)
{
    sq_doctor_judge(&facts, &wrong);
    return wrong.count;
}

static void expect_only(const char *text)
{
    cr_expect_eq(judge(), 1, "found %d problems, expected one: %s", wrong.count, text);
    cr_expect_not_null(strstr(wrong.lines[0], text), "'%s', wanted '%s'", wrong.lines[0], text);
}

Test(doctor, nothing_is_wrong_with_a_good_cluster)
{
    for (int hosts = 1; hosts <= 4; hosts++)
        for (int each = 1; each * hosts <= MOST; each++) {
            make_cluster(hosts, each);
            cr_expect_eq(judge(), 0, "%d hosts of %d: %s", hosts, each, wrong.lines[0]);
            cr_expect_eq(sq_doctor_hosts(&facts), hosts);
        }
    ranks[0].launched = 0; /* started without a launcher */
    cr_expect_eq(judge(), 0);
}

Test(doctor, cores_that_are_too_few)
{
    make_cluster(2, 4);
    for (int i = 4; i < 8; i++)
        ranks[i].cores[0] = 1, ranks[i].threads = 1;
    expect_only("node1: 4 ranks are bound to 1 of 8 cores: mpirun --bind-to none, or --map-by slot:PE=2");
    make_cluster(1, 4);
    for (int i = 0; i < 4; i++)
        ranks[i].cores[0] = 3, ranks[i].online = 2, ranks[i].threads = 1;
    expect_only("node0: 4 ranks on 2 cores: start at most 2 ranks there");
    make_cluster(2, 2);
    ranks[3].threads = 3;
    expect_only("node1: 5 threads of 2 ranks on 4 cores: use --threads 2");
    make_cluster(1, 2); /* both ranks are bound to the same two cores and have two threads each */
    ranks[0].cores[0] = ranks[1].cores[0] = 3;
    expect_only("node0: 4 threads of 2 ranks on 2 cores: use --threads 1");
}

Test(doctor, launchers_of_another_mpi)
{
    make_cluster(1, 1);
    ranks[0].launched = 4;
    expect_only("the launcher started 4 ranks, but each rank is alone");
    make_cluster(1, 2);
    ranks[0].launched = 4;
    expect_only("the launcher started 4 ranks, but fewer are connected");
}

Test(doctor, hosts_that_differ)
{
    make_cluster(2, 2);
    ranks[2].build = ranks[3].build = 2; /* two ranks differ, but one line reports them */
    expect_only("rank 2 on node1 runs a different build of squall (1.0) from rank 0 on node0 (1.0)");
    make_cluster(2, 2);
    (void)snprintf(ranks[3].device, sizeof ranks[3].device, "cpu: another");
    expect_only("rank 3 on node1 computes on 'cpu: another', rank 0 on 'cpu: some'");
    make_cluster(2, 2);
    ranks[2].clock = ranks[3].clock = 1060;
    expect_only("the clock of node1 is 60 s off from that of node0");
    make_cluster(2, 2);
    (void)snprintf(ranks[1].problem, sizeof ranks[1].problem, "device cuda:1: there is one GPU");
    expect_only("rank 1 on node0: device cuda:1: there is one GPU");
}

Test(doctor, kernels_of_an_older_processor)
{
    static const struct {
        const char *device;
        bool is_wrong;
    } rows[] = {{"cpu: avx512, OpenBLAS SkylakeX", false},
                {"cpu: avx512, OpenBLAS Haswell", true},
                {"cpu: avx512, OpenBLAS Zen", true},
                {"cpu: avx2, OpenBLAS Haswell", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make_cluster(1, 2);
        for (int k = 0; k < 2; k++)
            (void)snprintf(ranks[k].device, sizeof ranks[k].device, "%s", rows[i].device);
        if (rows[i].is_wrong)
            expect_only("unset OPENBLAS_CORETYPE");
        else
            cr_expect_eq(judge(), 0, "%s", rows[i].device);
    }
}

Test(doctor, ranks_that_would_share_a_gpu)
{
    make_cluster(2, 3);
    ranks[4].local = ranks[3].local;
    expect_only("node1: ranks 3 and 4 have the same local number 0");
}

Test(doctor, the_loopback_between_hosts)
{
    static const struct {
        const char *list;
        int wrong;
    } rows[] = {{"lo", 2}, {"eth0,lo", 2}, {"lo,eth0", 2}, {"127.0.0.0/8", 2}, {"eth0", 0}, {"loop0", 0}, {"", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int hosts = 1; hosts <= 2; hosts++) {
            make_cluster(hosts, 2);
            for (int k = 0; k < facts.count; k++)
                (void)snprintf(ranks[k].network, sizeof ranks[k].network, "%s", rows[i].list);
            cr_expect_eq(judge(), hosts == 1 ? 0 : rows[i].wrong, "'%s', %d hosts: %d", rows[i].list, hosts,
                         wrong.count);
        }
    make_cluster(2, 1);
    ranks[1].has_interface = false;
    expect_only("node1: only the loopback interface is up");
    make_cluster(1, 2);
    ranks[0].has_interface = ranks[1].has_interface = false;
    cr_expect_eq(judge(), 0, "one host needs none");
}

Test(doctor, disks_that_are_full)
{
    make_cluster(2, 2);
    ranks[0].shared_free = 3e7; /* a container with 64 MB, half of which is in use */
    expect_only("node0: /dev/shm has 30.0 MB free for 2 ranks");
    make_cluster(2, 1);
    ranks[0].shared_free = 0;
    cr_expect_eq(judge(), 0, "a single rank on a host shares nothing");
    make_cluster(2, 2);
    ranks[2].temporary_free = 1e6;
    expect_only("node1: the folder for temporary files has 1.00 MB free");
    ranks[2].temporary_free = -1;
    expect_only("node1: the folder for temporary files has nothing free");
    make_cluster(1, 2);
    ranks[0].folder_free = 1e8;
    expect_only("node0: runs has 100 MB free");
    ranks[0].folder_free = -1;
    expect_only("node0: runs is not writable");
}

Test(doctor, more_than_fits_is_cut_off)
{
    make_cluster(1, 1);
    static sq_doctor_rank many[2 * SQ_DOCTOR_MOST_WRONG];
    for (int i = 0; i < 2 * SQ_DOCTOR_MOST_WRONG; i++) {
        many[i] = ranks[0];
        (void)snprintf(many[i].host, sizeof many[i].host, "node%d", i);
        (void)snprintf(many[i].problem, sizeof many[i].problem, "broken");
    }
    facts = (sq_doctor_facts){many, 2 * SQ_DOCTOR_MOST_WRONG, "runs"};
    cr_expect_eq(judge(), SQ_DOCTOR_MOST_WRONG);
}
