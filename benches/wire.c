/* A wire with a round-trip time between this network namespace and another: two tun devices, each packet held for half of
 * the time before it comes out at the other end. (A kernel's own emulation of delay is a module that not every kernel has.)
 *
 *   wire NAMESPACE MICROSECONDS TRACE
 *
 * NAMESPACE is the file of the other network namespace. Both ends are called tun0; whoever starts this gives them addresses
 * once "ready" is on stdout. Runs until it is killed.
 *
 * TRACE gets a line for each packet as it goes in: microseconds since the first packet, a direction ('>' to NAMESPACE, '<' from
 * it), protocol, ports, what TCP says (SYN, FIN, RST), and the bytes that it carries.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { MTU = 1500, HELD = 4096, IPV4_HEADER = 20, TCP = 6, UDP = 17 };

struct packet {
    long long due;
    int length;
    unsigned char bytes[MTU];
};

/* The packets on their way in one direction, oldest first: all of them wait equally long. */
struct direction {
    int in, out;
    unsigned first, count;
    struct packet held[HELD];
};

static void die(const char *what) {
    perror(what);
    exit(2);
}

static long long nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int device(void) {
    struct ifreq request = {.ifr_name = "tun0", .ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request)) die("/dev/net/tun");
    return fd;
}

static void trace(FILE *to, long long at, char direction, const unsigned char *ip, int length) {
    static long long first;
    if (!first) first = at;
    int header = (ip[0] & 15) * 4;
    if (ip[0] >> 4 != 4 || length < header + 8 || (ip[9] != TCP && ip[9] != UDP)) return;
    const unsigned char *transport = ip + header;
    int from = transport[0] << 8 | transport[1], port = transport[2] << 8 | transport[3];
    int total = ip[2] << 8 | ip[3], is_tcp = ip[9] == TCP;
    int payload = total - header - (is_tcp ? (transport[12] >> 4) * 4 : 8), flags = is_tcp ? transport[13] : 0;
    fprintf(to, "%lld %c %s %d %d %s%s%s%d\n", (at - first) / 1000, direction, is_tcp ? "tcp" : "udp", from, port,
            flags & 2 ? "SYN " : "", flags & 1 ? "FIN " : "", flags & 4 ? "RST " : "", payload);
    fflush(to);
}

static void take_in(struct direction *way, char sign, long long delay, FILE *to) {
    while (way->count < HELD) {
        struct packet *packet = &way->held[(way->first + way->count) % HELD];
        ssize_t length = read(way->in, packet->bytes, MTU);
        if (length < IPV4_HEADER) return;
        long long now = nanoseconds();
        packet->due = now + delay;
        packet->length = (int)length;
        way->count++;
        trace(to, now, sign, packet->bytes, packet->length);
    }
}

/* Lets out what has waited long enough; when the next one will have. */
static long long let_out(struct direction *way) {
    while (way->count && way->held[way->first].due <= nanoseconds()) {
        struct packet *packet = &way->held[way->first];
        /* What cannot be written is lost, as on a wire: the other end is not up yet. */
        if (write(way->out, packet->bytes, (size_t)packet->length) < 0 && errno != EIO) die("write");
        way->first = (way->first + 1) % HELD;
        way->count--;
    }
    return way->count ? way->held[way->first].due : 0;
}

int main(int argc, char **argv) {
    static struct direction there, back;
    if (argc != 4) {
        fprintf(stderr, "usage: wire NAMESPACE MICROSECONDS TRACE\n");
        return 2;
    }
    long long delay = atoll(argv[2]) * 500;
    FILE *to = fopen(argv[3], "w");
    if (!to) die(argv[3]);
    int near = device();
    int other = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (other < 0 || setns(other, CLONE_NEWNET)) die(argv[1]);
    int far = device();
    there.in = back.out = near;
    back.in = there.out = far;
    /* On time, also when the machine is busy; where that is not allowed, as well as it goes. */
    struct sched_param priority = {.sched_priority = 1};
    (void)sched_setscheduler(0, SCHED_FIFO, &priority);
    (void)prctl(PR_SET_TIMERSLACK, 1);
    puts("ready");
    fflush(stdout);
    for (;;) {
        long long one = let_out(&there), another = let_out(&back);
        long long next = one && (!another || one < another) ? one : another;
        struct timespec wait, *limit = NULL;
        if (next) {
            long long left = next - nanoseconds();
            if (left < 0) left = 0;
            wait = (struct timespec){.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
            limit = &wait;
        }
        struct pollfd ends[] = {{.fd = near, .events = POLLIN}, {.fd = far, .events = POLLIN}};
        if (ppoll(ends, 2, limit, NULL) < 0) die("ppoll");
        take_in(&there, '>', delay, to);
        take_in(&back, '<', delay, to);
    }
}
