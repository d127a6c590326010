/* The native demo tool: compiled by the tests, it shows what Python hides (the signal dispositions that were inherited).
 *
 *   --dump     one "key value" per line: argv, env, cwd, ignored and blocked signals, open descriptors, nofile, umask
 *   --write N  write N bytes to stdout, with the default SIGPIPE
 *   --exit N   exit with N
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void count_start(int argc) {
    const char *counter = getenv("DEMO_STARTS");
    char line[96];
    int fd, size;
    if (counter == NULL || *counter == '\0') return;
    fd = open(counter, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (fd < 0) return;
    size = snprintf(line, sizeof line, "demo-native pid=%ld words=%d\n", (long)getpid(), argc - 1);
    if (write(fd, line, (size_t)size) < 0) perror("DEMO_STARTS");
    close(fd);
}

static void dump(int argc, char **argv) {
    char here[4096];
    struct rlimit nofile;
    struct sigaction action;
    sigset_t blocked;
    mode_t mask = umask(077);
    int i;
    umask(mask);
    for (i = 0; i < argc; i++) printf("argv %s\n", argv[i]);
    for (i = 0; environ[i] != NULL; i++) printf("env %s\n", environ[i]);
    if (getcwd(here, sizeof here) != NULL) printf("cwd %s\n", here);
    for (i = 1; i < NSIG; i++)
        if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN) printf("ignored %d\n", i);
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (i = 1; i < NSIG; i++)
        if (sigismember(&blocked, i) == 1) printf("blocked %d\n", i);
    for (i = 0; i < 64; i++)
        if (fcntl(i, F_GETFD) >= 0) printf("fd %d\n", i);
    getrlimit(RLIMIT_NOFILE, &nofile);
    printf("nofile %llu %llu\n", (unsigned long long)nofile.rlim_cur, (unsigned long long)nofile.rlim_max);
    printf("umask %o\n", (unsigned)mask);
}

static void write_bytes(long left) {
    char block[4096];
    memset(block, 'x', sizeof block);
    while (left > 0) {
        ssize_t done = write(1, block, left < (long)sizeof block ? (size_t)left : sizeof block);
        if (done < 0 && errno != EINTR) { perror("stdout"); exit(1); }
        if (done > 0) left -= done;
    }
}

int main(int argc, char **argv) {
    int i;
    count_start(argc);
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--dump") == 0) dump(argc, argv);
        else if (strcmp(argv[i], "--write") == 0 && i + 1 < argc) write_bytes(atol(argv[++i]));
        else if (strcmp(argv[i], "--exit") == 0 && i + 1 < argc) exit(atoi(argv[++i]));
    }
    return 0;
}
