/* Times whole processes against each other: every round starts each command once, in turn, so that the machine's
 * moods fall on all of them alike, and each is compared with the first command of the same round.
 *
 *   interleave ROUNDS LABEL STDIN COMMAND [LABEL STDIN COMMAND]...
 *
 * STDIN is a file. COMMAND is split at blanks; leading NAME=VALUE words are its whole environment. Output goes to
 * /dev/null. Prints for each: median wall time, median of the ratio to the first, median CPU time, peak memory.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_COMMANDS = 16, MAX_WORDS = 64, MAX_ROUNDS = 100000 };

struct command {
    const char *label, *input;
    char *argv[MAX_WORDS], *envp[MAX_WORDS];
    double *wall, *cpu, *ratio;
    long memory_kib, failures;
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
    int words = 0, variables = 0;
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        if (words + 1 >= MAX_WORDS || variables + 1 >= MAX_WORDS) {
            fprintf(stderr, "%s: too many words\n", c->label);
            exit(2);
        }
        if (words == 0 && strchr(word, '='))
            c->envp[variables++] = word;
        else
            c->argv[words++] = word;
    }
    if (!words) {
        fprintf(stderr, "%s: no command\n", c->label);
        exit(2);
    }
}

static double run(struct command *c, double *cpu) {
    int in = open(c->input, O_RDONLY | O_CLOEXEC), out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (in < 0) die(c->input);
    if (out < 0) die("/dev/null");
    double start = now();
    pid_t child = vfork();
    if (child == 0) {
        if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(126);
        execve(c->argv[0], c->argv, c->envp);
        _exit(127);
    }
    if (child < 0) die("vfork");
    int status;
    struct rusage used;
    if (wait4(child, &status, 0, &used) != child) die("wait4");
    double wall = now() - start;
    close(in);
    close(out);
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) c->failures++;
    *cpu = micros(used.ru_utime) + micros(used.ru_stime);
    if (used.ru_maxrss > c->memory_kib) c->memory_kib = used.ru_maxrss;
    return wall;
}

int main(int argc, char **argv) {
    static struct command commands[MAX_COMMANDS];
    int rounds = argc > 1 ? atoi(argv[1]) : 0, count = (argc - 2) / 3;
    if (rounds < 1 || rounds > MAX_ROUNDS || count < 1 || count > MAX_COMMANDS || (argc - 2) % 3) {
        fprintf(stderr, "usage: interleave ROUNDS LABEL STDIN COMMAND [LABEL STDIN COMMAND]...\n");
        return 2;
    }
    for (int i = 0; i < count; i++) {
        struct command *c = &commands[i];
        c->label = argv[2 + 3 * i];
        c->input = argv[3 + 3 * i];
        split(c, argv[4 + 3 * i]);
        c->wall = calloc((size_t)rounds, sizeof(double));
        c->cpu = calloc((size_t)rounds, sizeof(double));
        c->ratio = calloc((size_t)rounds, sizeof(double));
        if (!c->wall || !c->cpu || !c->ratio) die("calloc");
    }
    for (int round = -3; round < rounds; round++) /* three rounds to warm up */
        for (int i = 0; i < count; i++) {
            struct command *c = &commands[i];
            double cpu, wall = run(c, &cpu);
            if (round < 0) {
                c->memory_kib = 0;
                c->failures = 0;
                continue;
            }
            c->wall[round] = wall;
            c->cpu[round] = cpu;
            c->ratio[round] = wall / commands[0].wall[round];
        }
    printf("%-34s %10s %8s %10s %10s\n", "", "wall", "ratio", "CPU", "memory");
    for (int i = 0; i < count; i++) {
        struct command *c = &commands[i];
        double ratio = median(c->ratio, rounds);
        printf("%-34s %7.3f ms %8.2f %7.3f ms %6.1f MiB", c->label, median(c->wall, rounds) / 1e3, ratio,
               median(c->cpu, rounds) / 1e3, (double)c->memory_kib / 1024);
        printf(c->failures ? "  %ld FAILED\n" : "\n", c->failures);
    }
    return 0;
}
