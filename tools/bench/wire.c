/* Simulates several hosts on one machine, connected by a switch with a given bandwidth and delay. The program works on
 * Linux kernels without tc's netem.
 *
 *     bench_wire HOSTS MBIT_PER_SECOND DELAY_MICROSECONDS
 *
 * Each host is a network and a UTS namespace with one interface, sq0, with the address 10.77.0.<1 + host>. The hosts
 * have no route to the outside. This process is the switch. The switch reads each host's packets, lets the packets wait
 * until the full-duplex cables of the sender and the receiver are free at the given bandwidth, adds the delay, and
 * forwards the packets. The program prints "host NAME ADDRESS PID" for each host (nsenter -t PID -n -u runs a command
 * on the host), then "ready", and runs until its standard input ends. The program needs root.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "kernels/base/clock.h"

enum { MOST_HOSTS = 16, PACKET_BYTES = 9000, QUEUE = 4096, FIRST_ADDRESS = 0x0a4d0001 };

typedef struct {
    double due; /* time at which the last byte has passed the cable, without the delay */
    int size, to;
    unsigned char bytes[PACKET_BYTES];
} packet;

/* Packets on one direction of one host's cable, in the order of entry. */
typedef struct {
    packet *ring[QUEUE];
    int first, count;
    double free_at;
} cable;

static struct {
    int hosts, fd[MOST_HOSTS];
    pid_t holder[MOST_HOSTS];
    double seconds_per_byte, delay;
    cable up[MOST_HOSTS], down[MOST_HOSTS];
    long dropped;
} wire;

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_wire: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- Hosts ---- */

static void set_interface(const char *name, uint32_t address)
{
    struct ifreq request = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&request.ifr_addr;
    const int s = socket(AF_INET, SOCK_DGRAM, 0);
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    in->sin_family = AF_INET;
    if (address) {
        in->sin_addr.s_addr = htonl(address);
        if (ioctl(s, SIOCSIFADDR, &request) != 0)
            die("address");
        in->sin_addr.s_addr = htonl(0xffffff00);
        if (ioctl(s, SIOCSIFNETMASK, &request) != 0)
            die("netmask");
        request.ifr_mtu = PACKET_BYTES;
        if (ioctl(s, SIOCSIFMTU, &request) != 0)
            die("packet size");
        request.ifr_qlen = QUEUE;
        if (ioctl(s, SIOCSIFTXQLEN, &request) != 0)
            die("queue length");
    }
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(s, SIOCSIFFLAGS, &request) != 0)
        die("interface");
    (void)close(s);
}

/* Creates the namespaces of host `index`, moves this process into them, and opens the host's interface. A child process
 * that only waits keeps the namespaces alive. */
static void make_host(int index)
{
    char name[32];
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    const uint32_t address = (uint32_t)(FIRST_ADDRESS + index);
    (void)snprintf(name, sizeof name, "wire%d", index);
    if (unshare(CLONE_NEWNET | CLONE_NEWUTS) != 0)
        die("unshare: new namespace");
    if (sethostname(name, strlen(name)) != 0)
        die("sethostname");
    wire.fd[index] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "sq0");
    if (wire.fd[index] < 0 || ioctl(wire.fd[index], TUNSETIFF, &request) != 0)
        die("/dev/net/tun");
    set_interface("lo", 0);
    set_interface("sq0", address);
    wire.holder[index] = fork();
    if (wire.holder[index] < 0)
        die("fork");
    if (wire.holder[index] == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            (void)pause();
    }
    (void)printf("host %s 10.77.0.%d %d\n", name, 1 + index, (int)wire.holder[index]);
}

/* ---- The switch ---- */

/* Appends a packet to a cable, which carries one packet after another. Drops the packet if the cable's queue is
 * full. */
static void enter(cable *c, packet *p, double now)
{
    const double start = c->free_at > now ? c->free_at : now;
    if (c->count == QUEUE) {
        wire.dropped++;
        free(p);
        return;
    }
    p->due = c->free_at = start + p->size * wire.seconds_per_byte;
    c->ring[(c->first + c->count++) % QUEUE] = p;
}

static packet *leave(cable *c)
{
    packet *p = c->ring[c->first];
    c->first = (c->first + 1) % QUEUE;
    c->count--;
    return p;
}

static void receive(int host, double now)
{
    for (;;) {
        packet *p = malloc(sizeof *p);
        if (!p)
            die("memory");
        p->size = (int)read(wire.fd[host], p->bytes, sizeof p->bytes);
        const int to = p->size >= 20 && p->bytes[0] >> 4 == 4 ? p->bytes[19] - 1 : -1;
        if (p->size <= 0) {
            free(p);
            return;
        }
        p->to = to;
        if (to < 0 || to >= wire.hosts || to == host)
            free(p); /* no host has this address: multicast, IPv6 */
        else
            enter(&wire.up[host], p, now);
    }
}

/* Forwards the packets that are due at `now`. Returns the time at which the next packet is due, or 0 if no packet is
 * queued. */
static double forward(double now)
{
    double next = 0;
    for (int i = 0; i < wire.hosts; i++) {
        cable *c = &wire.up[i];
        for (; c->count && c->ring[c->first]->due <= now;) {
            packet *p = leave(c);
            /* cut-through: the time of the packet's bytes counts once, not once per cable */
            enter(&wire.down[p->to], p, p->due - p->size * wire.seconds_per_byte);
        }
        next = c->count && (next == 0 || c->ring[c->first]->due < next) ? c->ring[c->first]->due : next;
    }
    for (int i = 0; i < wire.hosts; i++) {
        cable *c = &wire.down[i];
        for (; c->count && c->ring[c->first]->due + wire.delay <= now;) {
            packet *p = leave(c);
            wire.dropped += write(wire.fd[i], p->bytes, (size_t)p->size) != p->size;
            free(p);
        }
        if (c->count && (next == 0 || c->ring[c->first]->due + wire.delay < next))
            next = c->ring[c->first]->due + wire.delay;
    }
    return next;
}

static void work(void)
{
    struct pollfd watched[MOST_HOSTS + 1];
    for (int i = 0; i < wire.hosts; i++)
        watched[i] = (struct pollfd){.fd = wire.fd[i], .events = POLLIN};
    watched[wire.hosts] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    for (;;) {
        const double next = forward(sq_seconds_now()), left = next > 0 ? next - sq_seconds_now() : 1;
        const long nanoseconds = left > 0 ? (long)(left * 1e9) : 0;
        const struct timespec wait = {nanoseconds / 1000000000, nanoseconds % 1000000000};
        char ignored[64];
        if (ppoll(watched, (nfds_t)wire.hosts + 1, &wait, NULL) < 0 && errno != EINTR)
            die("poll");
        for (int i = 0; i < wire.hosts; i++)
            if (watched[i].revents & POLLIN)
                receive(i, sq_seconds_now());
        if (watched[wire.hosts].revents && read(STDIN_FILENO, ignored, sizeof ignored) <= 0)
            return;
    }
}

int main(int argc, char **argv)
{
    const struct sched_param first = {.sched_priority = 10};
    wire.hosts = argc == 4 ? atoi(argv[1]) : 0;
    if (wire.hosts < 2 || wire.hosts > MOST_HOSTS || atof(argv[2]) <= 0 || atof(argv[3]) < 0) {
        (void)fprintf(stderr, "usage: bench_wire HOSTS(2..%d) MBIT_PER_SECOND DELAY_MICROSECONDS\n", MOST_HOSTS);
        return 2;
    }
    wire.seconds_per_byte = 8e-6 / atof(argv[2]);
    wire.delay = 1e-6 * atof(argv[3]);
    for (int i = 0; i < wire.hosts; i++)
        make_host(i);
    if (sched_setscheduler(0, SCHED_FIFO, &first) != 0) /* a real cable does not wait for a core */
        (void)fprintf(stderr, "bench_wire: not at real-time priority: delays are longer when the machine is busy\n");
    (void)printf("ready\n");
    (void)fflush(stdout);
    work();
    for (int i = 0; i < wire.hosts; i++)
        (void)kill(wire.holder[i], SIGKILL);
    if (wire.dropped)
        (void)fprintf(stderr, "bench_wire: %ld packets dropped\n", wire.dropped);
    return 0;
}
