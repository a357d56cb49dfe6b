/* A disk that takes its time: LD_PRELOAD makes every fsync and fdatasync wait SLOW_DISK_MS milliseconds and then do
   what it does. Each leaves a byte in the file SLOW_DISK_COUNT. While the file SLOW_DISK_BROKEN exists they fail with
   EIO, as on a disk that has lost what was written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int slowly(const char *name, int file) {
    const char *wait = getenv("SLOW_DISK_MS"), *count = getenv("SLOW_DISK_COUNT"), *broken = getenv("SLOW_DISK_BROKEN");
    long ms = wait ? atol(wait) : 0;
    struct timespec pause = {ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&pause, NULL);
    if (count) {
        int out = open(count, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (out >= 0) {
            if (write(out, ".", 1) != 1) { /* the count is short then, and the test says so */
            }
            close(out);
        }
    }
    if (broken && access(broken, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return real(file);
}

int fsync(int file) { return slowly("fsync", file); }
int fdatasync(int file) { return slowly("fdatasync", file); }
