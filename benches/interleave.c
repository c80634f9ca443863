/* Times whole processes against each other: every round starts each command once, in turn, so that the machine's
 * moods fall on all of them alike, and each is compared with the first command of the same round.
 *
 *   interleave ROUNDS LABEL STDIN COMMAND [LABEL STDIN COMMAND]...
 *   interleave --at-once COUNT ROUNDS LABEL STDIN COMMAND [LABEL STDIN COMMAND]...
 *   interleave --round-trip MILLISECONDS ROUNDS LABEL STDIN COMMAND [LABEL STDIN COMMAND]...
 *
 * STDIN is a file. COMMAND is split at blanks; leading NAME=VALUE words are its whole environment. Output goes to
 * /dev/null. Prints for each: median wall time, median of the ratio to the first, median CPU time, peak memory, and what
 * follows a '|' in its label: the figure that is asked for.
 *
 * What is to be done before each run comes before everything else in COMMAND, and is not timed:
 *
 *   @empty:DIRECTORY    puts it aside under another name and an empty one in its place
 *   @copy:FROM:TO       writes the content of one file to another
 *
 * A command has to end with exit code 0, or with what @exit:CODE before it says; where one does not, the table says so and
 * the exit code is 1.
 *
 * A process that a command leaves behind is waited for before the next command, in nobody's time; if there was one, the
 * median CPU time of it is printed too.
 *
 * With --at-once each command is started COUNT times together; a '%' in STDIN stands for 1 to COUNT. Wall time is then
 * until the last of them has ended, and CPU time that of all. With --round-trip the median wall time is printed in round
 * trips too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_COMMANDS = 32, MAX_WORDS = 64, MAX_ROUNDS = 100000, MAX_AT_ONCE = 1000, MAX_FILE = 1 << 16, MAX_PATH = 4096 };

struct command {
    const char *label, *asked, *input;
    char *before[MAX_WORDS], *argv[MAX_WORDS], *envp[MAX_WORDS];
    double *wall, *cpu, *ratio, *left;
    long memory_kib, failures, leavings;
    int exit_code;
};

static void die(const char *what) {
    perror(what);
    exit(2);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double micros(struct timeval t) { return (double)t.tv_sec * 1e6 + (double)t.tv_usec; }

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, ascending);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static void split(struct command *c, char *text) {
    int words = 0, variables = 0, before = 0;
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        if (words + 1 >= MAX_WORDS || variables + 1 >= MAX_WORDS || before + 1 >= MAX_WORDS) {
            fprintf(stderr, "%s: too many words\n", c->label);
            exit(2);
        }
        if (words == 0 && variables == 0 && !strncmp(word, "@exit:", 6))
            c->exit_code = atoi(word + 6);
        else if (words == 0 && variables == 0 && *word == '@')
            c->before[before++] = word;
        else if (words == 0 && strchr(word, '='))
            c->envp[variables++] = word;
        else
            c->argv[words++] = word;
    }
    if (!words) {
        fprintf(stderr, "%s: no command\n", c->label);
        exit(2);
    }
}

/* Files that are removed round after round would be paid for by whoever makes the next: ext4 does not use the number of
 * a file again that went a moment ago, and searches. */
static void put_aside(const char *directory) {
    static int number;
    char aside[MAX_PATH];
    snprintf(aside, sizeof aside, "%s.%d-%d", directory, getpid(), ++number);
    if (rename(directory, aside)) {
        if (errno == ENOENT) return;
        die(directory);
    }
    if (mkdir(directory, 0700)) die(directory);
}

static void copy(const char *from, const char *to) {
    static char content[MAX_FILE];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (in < 0) die(from);
    if (out < 0) die(to);
    ssize_t size = read(in, content, sizeof content);
    if (size < 0 || write(out, content, (size_t)size) != size) die(to);
    close(in);
    close(out);
}

static void prepare(struct command *c) {
    for (char **before = c->before; *before; before++) {
        char path[MAX_PATH], *second;
        if (!strncmp(*before, "@empty:", 7))
            put_aside(*before + 7);
        else if (!strncmp(*before, "@copy:", 6) && (second = strchr(*before + 6, ':'))) {
            snprintf(path, sizeof path, "%.*s", (int)(second - *before - 6), *before + 6);
            copy(path, second + 1);
        } else {
            fprintf(stderr, "%s: %s is not known\n", c->label, *before);
            exit(2);
        }
    }
}

static int input_of(struct command *c, int number) {
    char path[MAX_PATH];
    const char *sign = strchr(c->input, '%');
    if (sign)
        snprintf(path, sizeof path, "%.*s%d%s", (int)(sign - c->input), c->input, number, sign + 1);
    else
        snprintf(path, sizeof path, "%s", c->input);
    int in = open(path, O_RDONLY | O_CLOEXEC);
    if (in < 0) die(path);
    return in;
}

/* Runs it `count` times together; wall time until the last has ended. */
static double run(struct command *c, int count, double *cpu, double *left) {
    static int in[MAX_AT_ONCE];
    static pid_t children[MAX_AT_ONCE];
    prepare(c);
    int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (out < 0) die("/dev/null");
    for (int i = 0; i < count; i++) in[i] = input_of(c, i + 1);
    double start = now();
    for (int i = 0; i < count; i++) {
        children[i] = vfork();
        if (children[i] == 0) {
            if (dup2(in[i], 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(126);
            execve(c->argv[0], c->argv, c->envp);
            _exit(127);
        }
        if (children[i] < 0) die("vfork");
    }
    *cpu = *left = 0;
    int status;
    struct rusage used;
    for (int i = 0; i < count; i++) {
        if (wait4(children[i], &status, 0, &used) != children[i]) die("wait4");
        if (!WIFEXITED(status) || WEXITSTATUS(status) != c->exit_code) c->failures++;
        *cpu += micros(used.ru_utime) + micros(used.ru_stime);
        if (used.ru_maxrss > c->memory_kib) c->memory_kib = used.ru_maxrss;
    }
    double wall = now() - start;
    for (int i = 0; i < count; i++) close(in[i]);
    close(out);
    while (wait4(-1, &status, 0, &used) > 0) {
        *left += micros(used.ru_utime) + micros(used.ru_stime);
        c->leavings++;
    }
    return wall;
}

int main(int argc, char **argv) {
    static struct command commands[MAX_COMMANDS];
    int at_once = 1, warm_up = 3;
    double round_trip = 0;
    if (argc > 2 && !strcmp(argv[1], "--at-once")) {
        at_once = atoi(argv[2]);
        warm_up = 0;
        argv += 2;
        argc -= 2;
    }
    if (argc > 2 && !strcmp(argv[1], "--round-trip")) {
        round_trip = atof(argv[2]);
        warm_up = 1;
        argv += 2;
        argc -= 2;
    }
    int rounds = argc > 1 ? atoi(argv[1]) : 0, count = (argc - 2) / 3;
    if (rounds < 1 || rounds > MAX_ROUNDS || count < 1 || count > MAX_COMMANDS || (argc - 2) % 3 || at_once < 1 ||
        at_once > MAX_AT_ONCE) {
        fprintf(stderr, "usage: interleave [--at-once COUNT | --round-trip MILLISECONDS] ROUNDS LABEL STDIN COMMAND [LABEL STDIN COMMAND]...\n");
        return 2;
    }
    /* What a command leaves behind becomes our child. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1)) die("prctl");
    for (int i = 0; i < count; i++) {
        struct command *c = &commands[i];
        c->label = argv[2 + 3 * i];
        char *asked = strchr(argv[2 + 3 * i], '|');
        if (asked) *asked++ = 0;
        c->asked = asked ? asked : "";
        c->input = argv[3 + 3 * i];
        split(c, argv[4 + 3 * i]);
        c->wall = calloc((size_t)rounds, sizeof(double));
        c->cpu = calloc((size_t)rounds, sizeof(double));
        c->ratio = calloc((size_t)rounds, sizeof(double));
        c->left = calloc((size_t)rounds, sizeof(double));
        if (!c->wall || !c->cpu || !c->ratio || !c->left) die("calloc");
    }
    for (int round = -warm_up; round < rounds; round++)
        for (int i = 0; i < count; i++) {
            struct command *c = &commands[i];
            double cpu, left, wall = run(c, at_once, &cpu, &left);
            if (round < 0) {
                c->memory_kib = 0;
                c->failures = 0;
                c->leavings = 0;
                continue;
            }
            c->wall[round] = wall;
            c->cpu[round] = cpu;
            c->left[round] = left;
            c->ratio[round] = wall / commands[0].wall[round];
        }
    int failed = 0;
    printf("%-34s %11s%s %7s %11s %10s  %s\n", "", "wall", round_trip > 0 ? "  round trips" : "", "ratio", "CPU",
           "memory", "asked for");
    for (int i = 0; i < count; i++) {
        struct command *c = &commands[i];
        double ratio = median(c->ratio, rounds);
        double wall = median(c->wall, rounds) / 1e3;
        printf("%-34s %8.3f ms", c->label, wall);
        if (round_trip > 0) printf(" %12.2f", wall / round_trip);
        printf(" %7.2f %8.3f ms %6.2f MiB  %s", ratio, median(c->cpu, rounds) / 1e3, (double)c->memory_kib / 1024,
               c->asked);
        if (c->leavings)
            printf("  (left behind: %ld processes, %.3f ms CPU a round)", c->leavings, median(c->left, rounds) / 1e3);
        if (c->failures) printf("  %ld FAILED", c->failures);
        failed |= c->failures > 0;
        printf("\n");
    }
    return failed;
}
